"""What can be the matter with an image that is to be loaded."""

from accel.errors.base import AccelError, Conflict, InvalidValue, Unavailable


class ImageTooLarge(InvalidValue):
    """An image has more bytes than the service takes."""

    code = "accel.image_too_large"


class ImageRefused(Conflict):
    """An image may not be loaded, or its bytes are others than announced."""

    code = "accel.image_refused"


class ImageNotReady(ImageRefused):
    """The bytes of an image are not here."""

    code = "accel.image_not_ready"


class DigestMismatch(ImageRefused):
    """The bytes of an image are others than its digest says."""

    code = "accel.digest_mismatch"


class SignatureMissing(ImageRefused):
    """An image is not signed, and only signed ones are loaded."""

    code = "accel.signature_missing"


class SignatureInvalid(ImageRefused):
    """The signature of an image was not made of its digest by the key that it should be from."""

    code = "accel.signature_invalid"


class KeyRevoked(ImageRefused):
    """The key that an image is signed with has been revoked."""

    code = "accel.key_revoked"


class KeyNotTrusted(ImageRefused):
    """The key that an image is signed with is none of those that the node trusts."""

    code = "accel.key_not_trusted"


class ImageSourceRefused(AccelError):
    """The bytes of an image are not to be had from where it was told."""

    code = "accel.image_source_refused"


class ImageSourceUnavailable(Unavailable):
    """Where the bytes of an image are, nobody answers."""

    code = "accel.image_source_unavailable"
