/* What NVML changes: MIG mode, GPU instances, compute instances, compute mode. Each change is written into
 * $NVML_STUB_CONF, so that every process sees it, as with a driver. Profiles and places are those that
 * nvidia-smi mig -lgip and -lgipp list for GPUs of seven slices, and of four (maxmig=4).
 */
enum { INUSE = 19, NORES = 23 };
struct prof { unsigned profile, id, size, compute, most, nstarts, starts[7], dec, jpeg, ofa; const char *extra; };
static const struct prof SEVEN[] = {
	{ 0, 19, 1, 1, 7, 7, {0, 1, 2, 3, 4, 5, 6}, 0, 0, 0, "" }, { 7, 20, 1, 1, 1, 7, {0, 1, 2, 3, 4, 5, 6}, 1, 1, 1, "+me" },
	{ 9, 15, 2, 1, 4, 4, {0, 2, 4, 6}, 1, 0, 0, "" }, { 1, 14, 2, 2, 3, 3, {0, 2, 4}, 1, 0, 0, "" },
	{ 2, 9, 4, 3, 2, 2, {0, 4}, 2, 0, 0, "" }, { 3, 5, 4, 4, 1, 1, {0}, 2, 0, 0, "" }, { 4, 0, 8, 7, 1, 1, {0}, 5, 1, 1, "" },
};
static const struct prof FOUR[] = {
	{ 0, 14, 1, 1, 4, 4, {0, 1, 2, 3}, 0, 0, 0, "" }, { 7, 21, 1, 1, 1, 4, {0, 1, 2, 3}, 1, 1, 1, "+me" },
	{ 1, 5, 2, 2, 2, 2, {0, 2}, 2, 0, 0, "" }, { 8, 6, 2, 2, 1, 2, {0, 2}, 2, 1, 1, "+me" }, { 3, 0, 4, 4, 1, 1, {0}, 4, 1, 1, "" },
};
static const struct prof *all(struct dev *d, unsigned *n)
{ if (d->maxmig == 4) { *n = sizeof FOUR / sizeof *FOUR; return FOUR; } *n = sizeof SEVEN / sizeof *SEVEN; return SEVEN; }
static const struct prof *by_profile(struct dev *d, unsigned profile)
{ unsigned n; const struct prof *p = all(d, &n); for (unsigned i = 0; i < n; i++) if (p[i].profile == profile) return p + i; return 0; }
static const struct prof *by_id(struct dev *d, unsigned id)
{ unsigned n; const struct prof *p = all(d, &n); for (unsigned i = 0; i < n; i++) if (p[i].id == id) return p + i; return 0; }
static unsigned whole(struct dev *d) { return d->maxmig == 4 ? 4 : 8; }
static u64 mem_of(struct dev *d, const struct prof *p) { return (d->mem >> 20) * p->size / whole(d) - 256; }
static void name_of(struct dev *d, const struct prof *p, char *o, size_t n)
{ u64 gib = (d->mem + (1ULL << 30) - 1) >> 30; snprintf(o, n, "%ug.%llugb%s", p->compute, (2 * p->size * gib + whole(d)) / (2 * whole(d)), p->extra); }
/* Write the file again, with one line of a GPU changed, lines that begin with a text left out, and one line more. */
static int rewrite(int gpu, const char *key, int value, const char *without, const char *more)
{
	const char *path = getenv("NVML_STUB_CONF"); char tmp[1200], l[1024], k[40]; int g = 0; if (!path) return UNKNOWN;
	snprintf(tmp, sizeof tmp, "%s.%d", path, getpid()); snprintf(k, sizeof k, " %s=", key ? key : "");
	FILE *in = fopen(path, "r"), *out = fopen(tmp, "w"); if (!in || !out) return UNKNOWN;
	while (fgets(l, sizeof l, in)) {
		l[strcspn(l, "\n")] = 0; if (without && !strncmp(l, without, strlen(without))) continue;
		if (!strncmp(l, "gpu", 3) && g++ == gpu && key) {
			char *p = strstr(l, k);
			if (p) fprintf(out, "%.*s%s%d%s\n", (int)(p - l), l, k, value, p + strlen(k) + strcspn(p + strlen(k), " "));
			else fprintf(out, "%s%s%d\n", l, k, value);
		} else fprintf(out, "%s\n", l);
	}
	if (more) fprintf(out, "%s\n", more);
	fclose(in); fclose(out); if (rename(tmp, path)) return UNKNOWN; mt.tv_sec = 0; load(0); return OK;
}
#define ACT(h) PRE(h); NOMIG; if (!d->allowed) return NOPERM
static int set_pending(struct dev *d, int mode) { return rewrite(d->idx, "pending", mode, 0, 0); }
API nvmlDeviceSetMigMode(void *h, unsigned mode, unsigned *status)
{
	ACT(h); if (d->mig_mode < 0) return NOTSUP; if (mode > 1) return INVAL; *status = OK;
	if ((int)mode == d->mig_mode) return set_pending(d, mode);
	if (d->busy || d->ngi) { *status = INUSE; return set_pending(d, mode); }
	return rewrite(d->idx, "mig", mode, 0, 0) || set_pending(d, mode);
}
API nvmlDeviceSetComputeMode(void *h, unsigned mode) { ACT(h); if (mode > 3) return INVAL; return rewrite(d->idx, "cmode", mode, 0, 0); }
struct pinfo { unsigned id, p2p, slices, count, sm, ce, dec, enc, jpg, ofa; u64 mb; };
struct pinfo2 { unsigned version, id, p2p, slices, count, sm, ce, dec, enc, jpg, ofa; u64 mb; char name[96]; };
#define IN_MIG if (d->mig_mode != 1) return NOTSUP
#ifdef PLACELESS /* drivers of before places could be told, and before names were */
#define HIDDEN static int __attribute__((unused))
#else
#define HIDDEN API
#endif
API nvmlDeviceGetGpuInstanceProfileInfo(void *h, unsigned profile, struct pinfo *o)
{
	PRE(h); NOMIG; if (profile > 0x11) return INVAL; IN_MIG; const struct prof *p = by_profile(d, profile); if (!p) return NOTSUP;
	memset(o, 0, sizeof *o); o->id = p->id; o->slices = p->compute; o->count = p->most; o->sm = 14 * p->compute; o->ce = p->compute;
	o->dec = p->dec; o->jpg = p->jpeg; o->ofa = p->ofa; o->mb = mem_of(d, p); return OK;
}
HIDDEN nvmlDeviceGetGpuInstanceProfileInfoV(void *h, unsigned profile, struct pinfo2 *o)
{
	PRE(h); NOMIG; if (profile > 0x11) return INVAL; IN_MIG; const struct prof *p = by_profile(d, profile); if (!p) return NOTSUP;
	unsigned version = o->version; memset(o, 0, sizeof *o); o->version = version; o->id = p->id; o->slices = p->compute; o->count = p->most; o->sm = 14 * p->compute; o->ce = p->compute;
	o->dec = p->dec; o->jpg = p->jpeg; o->ofa = p->ofa; o->mb = mem_of(d, p); strcpy(o->name, "MIG "); name_of(d, p, o->name + 4, sizeof o->name - 4); return OK;
}
struct place { unsigned start, size; };
API nvmlDeviceGetGpuInstancePossiblePlacements_v2(void *h, unsigned id, struct place *o, unsigned *n)
{
	PRE(h); NOMIG; IN_MIG; const struct prof *p = by_id(d, id); if (!p) return INVAL;
	for (unsigned i = 0; o && i < p->nstarts; i++) { o[i].start = p->starts[i]; o[i].size = p->size; }
	*n = p->nstarts; return OK;
}
static int taken(struct dev *d, unsigned start, unsigned size)
{ for (int i = 0; i < d->ngi; i++) { const struct prof *p = by_profile(d, d->gi[i].profile); if (p && start < d->gi[i].start + p->size && d->gi[i].start < start + size) return 1; } return 0; }
static int count_of(struct dev *d, unsigned profile) { int n = 0; for (int i = 0; i < d->ngi; i++) n += d->gi[i].profile == profile; return n; }
/* Handles stay good while other instances come and go. */
static struct gi GI[MAXG][32]; static struct ci CI[MAXG][32];
static struct gi *gi_handle(struct dev *d, struct gi *g) { struct gi *o = &GI[d->idx][g->id & 31]; *o = *g; return o; }
static struct gi *gi_now(void *h)
{ struct gi *g = h; load(0); if (!g || g->magic != 0x4e58) return 0; for (int i = 0; i < G[g->gpu].ngi; i++) if (G[g->gpu].gi[i].id == g->id) return &G[g->gpu].gi[i]; return 0; }
static unsigned id_at(unsigned size, unsigned start) { return size == 8 ? 0 : size == 4 ? 1 + start / 4 : size == 2 ? 3 + start / 2 : 7 + start; }
static int make(struct dev *d, const struct prof *p, unsigned start, void **o)
{
	char l[200]; unsigned id = id_at(p->size, start); if ((int)start == d->badstart) return UNKNOWN;
	snprintf(l, sizeof l, "gi gpu=%d id=%u profile=%u start=%u", d->idx, id, p->profile, start);
	int r = rewrite(-1, 0, 0, 0, l); if (r) return r;
	for (int i = 0; i < d->ngi; i++) if (d->gi[i].id == id) { *o = gi_handle(d, &d->gi[i]); return OK; }
	return UNKNOWN;
}
HIDDEN nvmlDeviceCreateGpuInstanceWithPlacement(void *h, unsigned id, struct place *w, void **o)
{
	ACT(h); IN_MIG; const struct prof *p = by_id(d, id); if (!p) return INVAL; unsigned i;
	for (i = 0; i < p->nstarts && p->starts[i] != w->start; i++) ;
	if (i == p->nstarts || w->size != p->size) return INVAL;
	if (count_of(d, p->profile) >= (int)p->most || taken(d, w->start, p->size)) return NORES;
	return make(d, p, w->start, o);
}
API nvmlDeviceCreateGpuInstance(void *h, unsigned id, void **o)
{
	ACT(h); IN_MIG; const struct prof *p = by_id(d, id); if (!p) return INVAL; if (count_of(d, p->profile) >= (int)p->most) return NORES;
	for (int i = p->nstarts - 1; i >= 0; i--) if (!taken(d, p->starts[i], p->size)) return make(d, p, p->starts[i], o);
	return NORES;
}
API nvmlDeviceGetGpuInstances(void *h, unsigned id, void **o, unsigned *n)
{
	ACT(h); IN_MIG; const struct prof *p = by_id(d, id); if (!p) return INVAL; *n = 0;
	for (int i = 0; i < d->ngi; i++) if (d->gi[i].profile == p->profile) o[(*n)++] = gi_handle(d, &d->gi[i]);
	return OK;
}
API nvmlDeviceGetGpuInstanceById(void *h, unsigned id, void **o)
{ ACT(h); IN_MIG; for (int i = 0; i < d->ngi; i++) if (d->gi[i].id == id) { *o = gi_handle(d, &d->gi[i]); return OK; } return NOTFOUND; }
struct giinfo { void *dev; unsigned id, profile; struct place place; };
API nvmlGpuInstanceGetInfo(void *h, struct giinfo *o)
{
	struct gi *g = gi_now(h); if (!g) return NOTFOUND; const struct prof *p = by_profile(&G[g->gpu], g->profile);
	o->dev = &G[g->gpu]; o->id = g->id; o->profile = p->id; o->place.start = g->start; o->place.size = p->size; return OK;
}
API nvmlGpuInstanceDestroy(void *h)
{
	struct gi *g = gi_now(h); char l[80]; if (!g) return NOTFOUND; struct dev *d = &G[g->gpu]; if (!d->allowed) return NOPERM;
	for (int i = 0; i < d->nmig; i++) if (d->m[i].gi == g->id) return INUSE;
	snprintf(l, sizeof l, "gi gpu=%d id=%u ", g->gpu, g->id); return rewrite(-1, 0, 0, l, 0);
}
struct cinfo { unsigned id, slices, count, sm, ce, dec, enc, jpg, ofa; };
struct cinfo2 { unsigned version, id, slices, count, sm, ce, dec, enc, jpg, ofa; char name[96]; };
static const unsigned CSLICES[] = { 1, 2, 3, 4, 7 };
API nvmlGpuInstanceGetComputeInstanceProfileInfo(void *h, unsigned profile, unsigned engine, struct cinfo *o)
{
	struct gi *g = gi_now(h); if (!g) return NOTFOUND; const struct prof *p = by_profile(&G[g->gpu], g->profile); if (profile > 7 || engine) return INVAL;
	if (profile > 4 || CSLICES[profile] > p->compute) return NOTSUP;
	memset(o, 0, sizeof *o); o->id = profile; o->slices = CSLICES[profile]; o->count = p->compute / o->slices; o->sm = 14 * o->slices; return OK;
}
HIDDEN nvmlGpuInstanceGetComputeInstanceProfileInfoV(void *h, unsigned profile, unsigned engine, struct cinfo2 *o)
{
	struct gi *g = gi_now(h); if (!g) return NOTFOUND; const struct prof *p = by_profile(&G[g->gpu], g->profile); if (profile > 7 || engine) return INVAL;
	if (profile > 4 || CSLICES[profile] > p->compute) return NOTSUP; unsigned version = o->version; memset(o, 0, sizeof *o); o->version = version;
	o->id = profile; o->slices = CSLICES[profile]; o->count = p->compute / o->slices; o->sm = 14 * o->slices; return OK;
}
API nvmlGpuInstanceCreateComputeInstance(void *h, unsigned id, void **o)
{
	struct gi *g = gi_now(h); char l[400], n[40]; if (!g) return NOTFOUND; struct dev *d = &G[g->gpu]; const struct prof *p = by_profile(d, g->profile);
	if (!d->allowed) return NOPERM; if (id > 4) return INVAL; unsigned used = 0, ci = 0;
	for (int i = 0; i < d->nmig; i++) if (d->m[i].gi == g->id) { used += d->m[i].slices; ci++; }
	if (used + CSLICES[id] > p->compute) return NORES; name_of(d, p, n, sizeof n); char c[8] = ""; if (CSLICES[id] < p->compute) snprintf(c, sizeof c, "%uc.", CSLICES[id]);
	snprintf(l, sizeof l, "mig gpu=%d uuid=MIG-%08x-0000-5000-8000-%06x%06x gi=%u ci=%u slices=%u sm=%u mem_mb=%llu name=\"%.60s MIG %s%s\"", d->idx, d->devid, d->idx + 1, g->id * 16 + ci, g->id, ci, CSLICES[id], 14 * CSLICES[id], mem_of(d, p), d->name, c, n);
	int r = rewrite(-1, 0, 0, 0, l); if (r) return r; struct ci *k = &CI[g->gpu][(g->id * 2 + ci) & 31]; k->magic = 0x4e59; k->gpu = g->gpu; k->gi = g->id; k->id = ci; *o = k; return OK;
}
API nvmlGpuInstanceGetComputeInstances(void *h, unsigned id, void **o, unsigned *n)
{
	struct gi *g = gi_now(h); if (!g) return NOTFOUND; struct dev *d = &G[g->gpu]; if (id > 4) return INVAL; if (!d->allowed) return NOPERM; *n = 0;
	for (int i = 0; i < d->nmig; i++) if (d->m[i].gi == g->id && d->m[i].slices == CSLICES[id]) { struct ci *k = &CI[g->gpu][(g->id * 2 + d->m[i].ci) & 31]; k->magic = 0x4e59; k->gpu = g->gpu; k->gi = g->id; k->id = d->m[i].ci; o[(*n)++] = k; }
	return OK;
}
API nvmlComputeInstanceDestroy(void *h)
{
	struct ci *k = h; char l[200]; load(0); if (!k || k->magic != 0x4e59) return INVAL; struct dev *d = &G[k->gpu]; if (!d->allowed) return NOPERM;
	for (int i = 0; i < d->nmig; i++) if (d->m[i].gi == k->gi && d->m[i].ci == k->id) {
		if (d->m[i].busy) return INUSE; snprintf(l, sizeof l, "mig gpu=%d uuid=%s ", k->gpu, d->m[i].uuid); return rewrite(-1, 0, 0, l, 0); }
	return NOTFOUND;
}
