"""Schemas of images and of the keys that sign them."""

from accel.api.schemas.common import (
    BOOLEAN,
    INTEGER_OR_NULL,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    UUID_OR_NULL,
    WITHOUT_NUL,
    Schema,
    collection,
    list_of,
    members,
    query,
)
from accel.model.image import ImagePurpose
from accel.model.image_url import LONGEST_URL
from accel.model.registry import (
    MOST_IDS,
    MOST_PROJECTS,
    ImageKind,
    ImageSource,
    ImageState,
    SignatureState,
    Visibility,
)

_KINDS = [str(kind) for kind in ImageKind]
_STATES: Schema = {"enum": [str(state) for state in ImageState]}
_VISIBILITIES: Schema = {"enum": [str(visibility) for visibility in Visibility], "description": "Who sees it."}
_SIGNATURES: Schema = {"enum": [str(state) for state in SignatureState]}
_SOME_TEXT: Schema = {"type": "string", "maxLength": 255, "pattern": WITHOUT_NUL}
_ID_TEXT: Schema = {**TEXT, "maxLength": 64}
_REF: Schema = {**TEXT, "description": "What a person calls it: a name, or a uuid or its first four characters."}
_LARGEST = 2**62

_ABOUT = {
    "vendor": {**_SOME_TEXT, "description": "The PCI vendor id of the cards that it is for."},
    "platform": {**_SOME_TEXT, "description": "The board or shell that it was built for, by name."},
    "region_ids": {
        **list_of(_ID_TEXT),
        "maxItems": MOST_IDS,
        "description": "The interface ids of the regions that it was built for.",
    },
    "function_ids": {
        **list_of(_ID_TEXT),
        "maxItems": MOST_IDS,
        "description": "What a region has once it is loaded.",
    },
}

QUERY = query(
    {
        "name": TEXT,
        "version": TEXT,
        "kind": {"enum": _KINDS},
        "vendor": TEXT,
        "platform": TEXT,
        "region_id": _ID_TEXT,
        "function_id": _ID_TEXT,
        "digest": {**TEXT, "description": "SHA-256, with or without sha256: before it."},
        "state": _STATES,
        "visibility": _VISIBILITIES,
        "signature_state": _SIGNATURES,
        "project_id": TEXT,
        "ref": _REF,
        **PAGING,
    }
)
IMAGE = members(
    {
        "uuid": UUID,
        "name": TEXT,
        "version": TEXT,
        "kind": {"enum": [*_KINDS, None], "description": "What it is a file of; null before its bytes are here."},
        **{name: {**schema, "type": schema["type"]} for name, schema in _ABOUT.items()},
        "purpose": {"enum": [str(purpose) for purpose in ImagePurpose], "description": "What of a card it is for."},
        "visibility": _VISIBILITIES,
        "projects": {
            **list_of(TEXT),
            "description": "Those that it is shared with; empty for others.",
        },
        "project_id": TEXT,
        "source": {"enum": [str(source) for source in ImageSource]},
        "source_ref": {**TEXT_OR_NULL, "description": "URL or id there; null for whoever does not own it."},
        "state": {**_STATES, "description": "How far its bytes are."},
        "reason": {**TEXT, "description": "Why its bytes could not be had; empty otherwise."},
        "digest": {**TEXT_OR_NULL, "description": "sha256: and 64 hex digits; null before it is known."},
        "size_bytes": INTEGER_OR_NULL,
        "signature": {**TEXT_OR_NULL, "description": "Ed25519, of the line `accel image <digest>`; base64."},
        "signature_state": _SIGNATURES,
        "public_key": {**TEXT_OR_NULL, "description": "The key that has made the signature, base64."},
        "key_uuid": {**UUID_OR_NULL, "description": "The same; null for whoever does not own it."},
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
        "links": LINKS,
    }
)
IMAGES = collection("images", IMAGE)
_PART = members({"uuid": UUID, "name": TEXT, "device_uuid": UUID, "node": TEXT})
SHOWN = members(
    {
        **IMAGE["properties"],
        "loaded_in": {
            **list_of(_PART),
            "description": "The deployables that it is loaded in: all for administrators, otherwise those of devices "
            "that the project holds something of.",
        },
    }
)

_NAME = {**TEXT, "description": "1 to 255 letters, digits, ., _, + and -, of which the first is a letter or digit."}
_VERSION = {**TEXT, "description": "In the words of whoever has made it; a project has one image of a name for each."}
_PROJECTS = {
    **list_of({**_SOME_TEXT, "minLength": 1}),
    "maxItems": MOST_PROJECTS,
    "description": "Those that it is shared with; needed with visibility shared, and wrong with any other.",
}
_SIGNATURE = {"type": ["string", "null"], "description": "Ed25519, of the line `accel image sha256:<digest>`; base64."}
_NEW = {
    "name": _NAME,
    "version": _VERSION,
    "kind": {"enum": [*_KINDS, None], "description": "What it is a file of; its bytes say so unless given."},
    **_ABOUT,
    "visibility": {**_VISIBILITIES, "description": "Who sees it: private unless given; public by administrators only."},
    "projects": _PROJECTS,
    "source": {"enum": [str(source) for source in ImageSource], "description": "Where its bytes come from."},
    "source_ref": {
        "type": ["string", "null"],
        "maxLength": LONGEST_URL,
        "description": "The URL, or the id in Glance; absent for an upload.",
    },
    "digest": {"type": ["string", "null"], "description": "SHA-256 of its bytes; needed but for Glance."},
    "size_bytes": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": _LARGEST,
        "description": "Of all its bytes; needed for an upload.",
    },
    "signature": _SIGNATURE,
}
_DIGEST = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
CREATE: Schema = {
    **members(_NEW, optional=_NEW.keys() - {"name"}),
    "additionalProperties": False,
    "examples": [
        {"name": "blur", "version": "1.2", "digest": _DIGEST, "size_bytes": 5},
        {"name": "blur", "source": "url", "source_ref": "https://images.example.org/blur.gbs", "digest": _DIGEST},
    ],
}
_CHANGES = {
    "name": _NAME,
    "version": _VERSION,
    "visibility": _VISIBILITIES,
    "projects": _PROJECTS,
    "signature": {**_SIGNATURE, "description": "By a good key of its project; null takes it away."},
}
UPDATE: Schema = {
    **members(_CHANGES, optional=_CHANGES),
    "additionalProperties": False,
    "minProperties": 1,
    "examples": [{"visibility": "private", "projects": []}],
}

KEY_QUERY = query({"name": TEXT, "project_id": TEXT, "is_revoked": BOOLEAN, "ref": _REF, **PAGING})
KEY = members(
    {
        "uuid": UUID,
        "name": TEXT,
        "public_key": {**TEXT, "description": "Ed25519: its 32 bytes in base64."},
        "project_id": TEXT,
        "revoked_at": {**MOMENT_OR_NULL, "description": "Since when nothing is loaded any more that it has signed."},
        "created_at": MOMENT,
        "links": LINKS,
    }
)
KEYS = collection("image_keys", KEY)
_KEY_TEXT: Schema = {**TEXT, "maxLength": 4096, "description": "PEM as openssl writes it, or base64 of the 32 bytes."}
CREATE_KEY: Schema = {
    **members({"name": _NAME, "public_key": _KEY_TEXT}),
    "additionalProperties": False,
    "examples": [{"name": "release", "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}],
}
