/* A small stand-in for libnvidia-ml.so.1, written from the ctypes declarations of nvidia-ml-py.
 * Reads $NVML_STUB_CONF (see sample.conf). Device LIST is fixed at nvmlInit (as with the real
 * library); device STATE (ok / lost / unknown) and pending events are re-read when the file changes.
 * -DOLD leaves out what a driver of before MIG and NVLink has not got.
 * gcc -shared -fPIC -O2 -Wall -Wl,-soname,libnvidia-ml.so.1 -o libnvidia-ml.so.1 nvmlstub.c
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, UNINIT = 1, INVAL = 2, NOTSUP = 3, NOPERM = 4, NOTFOUND = 6, SHORT = 7, NODRV = 9, TMO = 10, LOST = 15, UNKNOWN = 999 };
#define API __attribute__((visibility("default"))) int
#define MAXG 64
#define MAXM 16
#define MAXL 18
typedef unsigned long long u64;
struct mig { char uuid[96]; unsigned gi, ci, slices, sm, busy; u64 mb; };
struct gi { int magic, gpu; unsigned id, profile, start; };
struct ci { int magic, gpu; unsigned gi, id; };
struct dev {
	int magic, idx, is_mig, parent, state; /* state: 0 ok, else nvml return code */
	char uuid[96], name[96], pci[32], serial[32], part[32];
	unsigned devid, subsys, cc_major, cc_minor, arch, temp, util, minor;
	u64 mem, used, ecc; int numa, mig_mode, mig_pending, maxmig, nmig, vmode, late, migerr; struct mig m[MAXM];
	int ngi, busy, allowed, badstart, cmode, remapped, remap_pending, remap_failed, hot; struct gi gi[MAXM]; /* the last: what changes */
	char link[MAXL][32]; /* the PCI address of the peer, "switch", or empty */
};
static struct dev G[MAXG], M[MAXG * MAXM];
static int ng, inited, init_rc; static volatile int hang; static char drv[80], nv[80]; static int cuda;
static struct { int gpu; u64 type, data; } EV[64]; static int nev, evseen; static struct timespec mt;
static pthread_mutex_t L = PTHREAD_MUTEX_INITIALIZER;

static int kv(char *line, const char *k, char *out, size_t n)
{
	char key[40]; snprintf(key, sizeof key, " %s=", k); char *p = strstr(line, key);
	if (!p) return 0;
	p += strlen(key); char end = ' '; if (*p == '"') { end = '"'; p++; }
	size_t i = 0; while (*p && *p != end && *p != '\n' && i + 1 < n) out[i++] = *p++;
	out[i] = 0; return 1;
}
static u64 kvu(char *l, const char *k, u64 d) { char b[64]; return kv(l, k, b, sizeof b) ? strtoull(b, 0, 0) : d; }
static int state_of(char *l)
{
	char b[32]; if (!kv(l, "state", b, sizeof b) || !strcmp(b, "ok")) return 0;
	return !strcmp(b, "lost") ? LOST : !strcmp(b, "noperm") ? NOPERM : UNKNOWN;
}
static void changing(struct dev *d, char *l)
{
	d->mig_mode = (int)kvu(l, "mig", (u64)-1); d->mig_pending = (int)kvu(l, "pending", d->mig_mode); d->nmig = d->ngi = 0; d->busy = kvu(l, "busy", 0);
	d->allowed = kvu(l, "allowed", 1); d->badstart = (int)kvu(l, "badstart", (u64)-1); d->cmode = kvu(l, "cmode", 0); d->ecc = kvu(l, "ecc", 0);
	d->remapped = kvu(l, "remapped", 0); d->remap_pending = kvu(l, "remap_pending", 0); d->remap_failed = kvu(l, "remap_failed", 0); d->hot = kvu(l, "slowdown", 93);
}
static void load(int full)
{
	const char *p = getenv("NVML_STUB_CONF"); struct stat st; char l[1024];
	if (!p || stat(p, &st)) { if (full) { ng = 0; init_rc = p ? NODRV : 0; } return; }
	if (!full && st.st_mtim.tv_sec == mt.tv_sec && st.st_mtim.tv_nsec == mt.tv_nsec) return;
	mt = st.st_mtim; FILE *f = fopen(p, "r"); if (!f) return;
	int g = 0, e = 0; if (full) { ng = 0; init_rc = 0; strcpy(drv, "550.54.15"); strcpy(nv, "12.550.54.15"); cuda = 12040; memset(G, 0, sizeof G); evseen = 0; }
	while (fgets(l, sizeof l, f)) {
		if (!strncmp(l, "system", 6)) { if (full) { kv(l, "driver", drv, sizeof drv); kv(l, "nvml", nv, sizeof nv); cuda = kvu(l, "cuda", cuda); init_rc = kvu(l, "init", 0); hang = kvu(l, "hang", 0); } }
		else if (!strncmp(l, "gpu", 3) && g < MAXG) {
			if (!full) { if (g < ng) { G[g].state = state_of(l); G[g].used = kvu(l, "used", G[g].used); G[g].temp = kvu(l, "temp", G[g].temp); G[g].util = kvu(l, "util", G[g].util); changing(&G[g], l); } g++; continue; }
			struct dev *d = &G[g]; d->magic = 0x4e56; d->idx = g; d->parent = -1; d->state = state_of(l);
			kv(l, "uuid", d->uuid, sizeof d->uuid); kv(l, "name", d->name, sizeof d->name); kv(l, "pci", d->pci, sizeof d->pci);
			kv(l, "serial", d->serial, sizeof d->serial); kv(l, "part", d->part, sizeof d->part);
			d->devid = kvu(l, "devid", 0); d->subsys = kvu(l, "subsys", 0); d->mem = kvu(l, "mem", 0); d->used = kvu(l, "used", 0);
			d->numa = (int)kvu(l, "numa", (u64)-1); d->mig_mode = (int)kvu(l, "mig", (u64)-1); d->maxmig = kvu(l, "maxmig", 7); d->minor = kvu(l, "minor", g);
			d->cc_major = kvu(l, "ccmajor", 8); d->cc_minor = kvu(l, "ccminor", 0); d->arch = kvu(l, "arch", 7); d->temp = kvu(l, "temp", 35); d->util = kvu(l, "util", 0); d->vmode = kvu(l, "vmode", 0); d->late = kvu(l, "late", 0); d->migerr = kvu(l, "migerr", 0); changing(d, l);
			g++;
		} else if (!strncmp(l, "gi ", 3)) {
			unsigned i = kvu(l, "gpu", 0); if (i >= (unsigned)g || G[i].ngi >= MAXM) continue;
			struct gi *p_ = &G[i].gi[G[i].ngi++]; p_->magic = 0x4e58; p_->gpu = i; p_->id = kvu(l, "id", 0); p_->profile = kvu(l, "profile", 0); p_->start = kvu(l, "start", 0);
		} else if (!strncmp(l, "mig", 3)) {
			unsigned i = kvu(l, "gpu", 0); if (i >= (unsigned)g || G[i].nmig >= MAXM) continue;
			struct mig *m = &G[i].m[G[i].nmig]; kv(l, "uuid", m->uuid, sizeof m->uuid);
			m->gi = kvu(l, "gi", 1); m->ci = kvu(l, "ci", 0); m->slices = kvu(l, "slices", 1); m->sm = kvu(l, "sm", 14); m->mb = kvu(l, "mem_mb", 4864); m->busy = kvu(l, "busy", 0);
			struct dev *x = &M[i * MAXM + G[i].nmig]; *x = G[i]; x->magic = 0x4e57; x->is_mig = 1; x->parent = i; x->idx = G[i].nmig++; strcpy(x->uuid, m->uuid);
			snprintf(x->name, sizeof x->name, "%.60s MIG %ug.%llugb", G[i].name, m->slices, (m->mb + 512) / 1024); x->mem = m->mb << 20; kv(l, "name", x->name, sizeof x->name);
		} else if (!strncmp(l, "nvlink", 6) && full) {
			unsigned i = kvu(l, "gpu", 0), n = kvu(l, "link", 0); if (i < (unsigned)g && n < MAXL) kv(l, "peer", G[i].link[n], sizeof G[i].link[n]);
		} else if (!strncmp(l, "event", 5) && e < 64) { EV[e].gpu = kvu(l, "gpu", 0); EV[e].type = kvu(l, "type", 8); EV[e].data = kvu(l, "data", 79); e++; }
	}
	fclose(f); if (full) ng = g; nev = e;
}
static struct dev *D(void *h) { struct dev *d = h; if (!d || (d->magic != 0x4e56 && d->magic != 0x4e57)) return 0; return d; }
static int st(struct dev *d) { load(0); return d->is_mig ? G[d->parent].state : d->state; }
#define PRE(h) struct dev *d; if (!inited) return UNINIT; d = D(h); if (!d) return INVAL; { int s_ = st(d); if (s_) return s_; }
/* What NVML keeps: a GPU with late=1 is lost, and still tells its address and UUID. */
#define KEPT(h) struct dev *d; if (!inited) return UNINIT; d = D(h); if (!d) return INVAL; { int s_ = st(d); if (s_ && !d->late) return s_; }
#define NOMIG if (d->is_mig) return NOTSUP
static int cp(char *o, unsigned n, const char *s) { if (strlen(s) + 1 > n) return SHORT; strcpy(o, s); return OK; }

API nvmlInitWithFlags(unsigned f) { pthread_mutex_lock(&L); if (!inited) load(1); int r = init_rc; if (!r) inited++; pthread_mutex_unlock(&L); while (hang) pause(); return r; }
API nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
API nvmlShutdown(void) { if (!inited) return UNINIT; inited--; return OK; }
__attribute__((visibility("default"))) const char *nvmlErrorString(int r)
{ switch (r) { case 0: return "Success"; case UNINIT: return "Uninitialized"; case INVAL: return "Invalid Argument"; case NOTSUP: return "Not Supported"; case NOPERM: return "Insufficient Permissions"; case NOTFOUND: return "Not Found"; case SHORT: return "Insufficient Size"; case NODRV: return "Driver Not Loaded"; case TMO: return "Timeout"; case LOST: return "GPU is lost"; case 19: return "In use by another client"; case 23: return "Insufficient Resources"; } return "Unknown Error"; }
API nvmlSystemGetDriverVersion(char *b, unsigned n) { return inited ? cp(b, n, drv) : UNINIT; }
API nvmlSystemGetNVMLVersion(char *b, unsigned n) { return cp(b, n, nv); }
API nvmlSystemGetCudaDriverVersion(int *v) { *v = cuda; return OK; }
API nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = cuda; return OK; }
API nvmlDeviceGetCount_v2(unsigned *c) { if (!inited) return UNINIT; *c = ng; return OK; }
API nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { if (!inited) return UNINIT; if (i >= (unsigned)ng) return INVAL; load(0); if (G[i].state && !G[i].late) return G[i].state; *h = &G[i]; return OK; }
API nvmlDeviceGetHandleByUUID(const char *u, void **h)
{ if (!inited) return UNINIT; for (int i = 0; i < ng; i++) { if (!strcmp(u, G[i].uuid)) { *h = &G[i]; return st(&G[i]); } for (int j = 0; j < G[i].nmig; j++) if (!strcmp(u, G[i].m[j].uuid)) { *h = &M[i * MAXM + j]; return st(&G[i]); } } return NOTFOUND; }
API nvmlDeviceGetHandleByPciBusId_v2(const char *b, void **h)
{ unsigned a[4], c[4]; if (!inited) return UNINIT; if (sscanf(b, "%x:%x:%x.%x", a, a + 1, a + 2, a + 3) < 3) return INVAL;
  for (int i = 0; i < ng; i++) if (sscanf(G[i].pci, "%x:%x:%x.%x", c, c + 1, c + 2, c + 3) == 4 && a[0] == c[0] && a[1] == c[1] && a[2] == c[2]) { *h = &G[i]; return st(&G[i]); } return NOTFOUND; }
API nvmlDeviceGetIndex(void *h, unsigned *i) { PRE(h); *i = d->idx; return OK; }
API nvmlDeviceGetUUID(void *h, char *b, unsigned n) { KEPT(h); return cp(b, n, d->uuid); }
API nvmlDeviceGetName(void *h, char *b, unsigned n) { PRE(h); return cp(b, n, d->name); }
API nvmlDeviceGetSerial(void *h, char *b, unsigned n) { PRE(h); return d->serial[0] ? cp(b, n, d->serial) : NOTSUP; }
API nvmlDeviceGetBoardPartNumber(void *h, char *b, unsigned n) { PRE(h); return d->part[0] ? cp(b, n, d->part) : NOTSUP; }
API nvmlDeviceGetMinorNumber(void *h, unsigned *m) { PRE(h); NOMIG; *m = d->minor; return OK; }
API nvmlDeviceGetBrand(void *h, unsigned *t) { PRE(h); *t = 14; return OK; }
API nvmlDeviceGetArchitecture(void *h, unsigned *a) { PRE(h); *a = d->arch; return OK; }
API nvmlDeviceGetCudaComputeCapability(void *h, int *a, int *b) { PRE(h); *a = d->cc_major; *b = d->cc_minor; return OK; }
struct pci { char legacy[16]; unsigned domain, bus, device, id, sub; char bus_id[32]; };
static int fill(struct pci *p, const char *bdf, unsigned id, unsigned sub)
{ unsigned a[4] = {0}; memset(p, 0, sizeof *p); sscanf(bdf, "%x:%x:%x.%x", a, a + 1, a + 2, a + 3);
  p->domain = a[0]; p->bus = a[1]; p->device = a[2]; p->id = id; p->sub = sub;
  snprintf(p->legacy, 16, "%04X:%02X:%02X.0", a[0] & 0xffff, a[1] & 255, a[2] & 31); snprintf(p->bus_id, 32, "%08X:%02X:%02X.0", a[0], a[1], a[2]); return OK; }
API nvmlDeviceGetPciInfo_v3(void *h, struct pci *p) { KEPT(h); NOMIG; return fill(p, d->pci, d->devid, d->subsys); }
API nvmlDeviceGetMemoryInfo(void *h, u64 *m) { PRE(h); m[0] = d->mem; m[1] = d->mem - d->used; m[2] = d->used; return OK; }
struct mem2 { unsigned v; u64 total, reserved, free, used; };
API nvmlDeviceGetMemoryInfo_v2(void *h, struct mem2 *m) { PRE(h); if (m->v != 0x02000028) return 25; m->total = d->mem; m->reserved = 0; m->free = d->mem - d->used; m->used = d->used; return OK; }
#ifndef OLD
API nvmlDeviceGetMigMode(void *h, unsigned *c, unsigned *p) { PRE(h); NOMIG; if (d->migerr) return d->migerr; if (d->mig_mode < 0) return NOTSUP; *c = d->mig_mode; *p = d->mig_pending; return OK; }
API nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *c) { PRE(h); *c = d->mig_mode < 0 ? 0 : d->maxmig; return OK; }
API nvmlDeviceGetMigDeviceHandleByIndex(void *h, unsigned i, void **o) { PRE(h); if (d->is_mig) return INVAL; if (d->mig_mode < 0) return NOTSUP; if (i >= (unsigned)d->maxmig) return INVAL; if (i >= (unsigned)d->nmig) return NOTFOUND; *o = &M[d->idx * MAXM + i]; return OK; }
API nvmlDeviceIsMigDeviceHandle(void *h, unsigned *o) { PRE(h); *o = d->is_mig; return OK; }
API nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *h, void **o) { PRE(h); if (!d->is_mig) return INVAL; *o = &G[d->parent]; return OK; }
API nvmlDeviceGetGpuInstanceId(void *h, unsigned *o) { PRE(h); if (!d->is_mig) return INVAL; *o = G[d->parent].m[d->idx].gi; return OK; }
API nvmlDeviceGetComputeInstanceId(void *h, unsigned *o) { PRE(h); if (!d->is_mig) return INVAL; *o = G[d->parent].m[d->idx].ci; return OK; }
struct attr { unsigned sm, ce, dec, enc, jpg, ofa, gs, cs; u64 mb; };
API nvmlDeviceGetAttributes_v2(void *h, struct attr *a) { PRE(h); if (!d->is_mig) return INVAL; struct mig *m = &G[d->parent].m[d->idx]; memset(a, 0, sizeof *a); a->sm = m->sm; a->ce = 1; a->gs = a->cs = m->slices; a->mb = m->mb; return OK; }
#endif
API nvmlDeviceGetNumaNodeId(void *h, unsigned *n) { PRE(h); if (d->numa < 0) return NOTSUP; *n = d->numa; return OK; }
API nvmlDeviceGetMemoryAffinity(void *h, unsigned n, unsigned long *s, unsigned sc) { PRE(h); memset(s, 0, n * sizeof *s); if (d->numa < 0) return NOTSUP; s[d->numa / 64] = 1UL << (d->numa % 64); return OK; }
API nvmlDeviceGetVirtualizationMode(void *h, unsigned *v) { PRE(h); *v = d->vmode; return OK; }
API nvmlDeviceGetTemperature(void *h, unsigned t, unsigned *v) { PRE(h); NOMIG; *v = d->temp; return OK; }
API nvmlDeviceGetUtilizationRates(void *h, unsigned *u) { PRE(h); NOMIG; u[0] = d->util; u[1] = 0; return OK; }
API nvmlDeviceGetPowerUsage(void *h, unsigned *v) { PRE(h); NOMIG; *v = 60000; return OK; }
API nvmlDeviceGetTotalEccErrors(void *h, unsigned t, unsigned c, u64 *v) { PRE(h); NOMIG; *v = t ? d->ecc : 0; return OK; }
API nvmlDeviceGetRemappedRows(void *h, unsigned *a, unsigned *b, unsigned *c, unsigned *e) { PRE(h); NOMIG; *a = 0; *b = d->remapped; *c = d->remap_pending; *e = d->remap_failed; return OK; }
API nvmlDeviceGetTemperatureThreshold(void *h, unsigned t, unsigned *v) { PRE(h); NOMIG; if (t > 1) return NOTSUP; *v = t ? d->hot : d->hot + 5; return OK; }
API nvmlDeviceGetComputeMode(void *h, unsigned *m) { PRE(h); *m = d->cmode; return OK; }
API nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, void *i) { PRE(h); *n = 0; return OK; }
API nvmlDeviceGetTopologyCommonAncestor(void *a, void *b, unsigned *l) { PRE(a); struct dev *e = D(b); if (!e) return INVAL; *l = d == e ? 0 : d->numa == e->numa ? 30 : 50; return OK; }
API nvmlDeviceGetP2PStatus(void *a, void *b, unsigned i, unsigned *s) { PRE(a); *s = 0; return OK; }
#ifndef OLD
#define LINK(h, l) PRE(h); NOMIG; if (l >= MAXL) return INVAL; if (!d->link[0][0]) return NOTSUP
API nvmlDeviceGetNvLinkState(void *h, unsigned l, unsigned *a) { LINK(h, l); *a = d->link[l][0] != 0; return OK; }
API nvmlDeviceGetNvLinkRemoteDeviceType(void *h, unsigned l, unsigned *t) { LINK(h, l); *t = strcmp(d->link[l], "switch") ? 0 : 2; return OK; }
API nvmlDeviceGetNvLinkRemotePciInfo_v2(void *h, unsigned l, struct pci *p) { LINK(h, l); return fill(p, d->link[l], 0, 0); }
#endif
API nvmlDeviceGetSupportedEventTypes(void *h, u64 *t) { PRE(h); NOMIG; *t = 8 | 2 | 1; return OK; }
API nvmlEventSetCreate(void **s) { static int dummy; if (!inited) return UNINIT; *s = &dummy; return OK; }
API nvmlEventSetFree(void *s) { return OK; }
API nvmlDeviceRegisterEvents(void *h, u64 t, void *s) { PRE(h); NOMIG; return OK; }
struct ev { void *dev; u64 type, data; unsigned gi, ci; };
API nvmlEventSetWait_v2(void *s, struct ev *e, unsigned ms)
{ for (unsigned w = 0;; w += 20) { if (!inited) return UNINIT; pthread_mutex_lock(&L); load(0); if (evseen < nev) { int i = evseen++; e->dev = &G[EV[i].gpu]; e->type = EV[i].type; e->data = EV[i].data; e->gi = e->ci = 0xffffffffu; pthread_mutex_unlock(&L); return OK; } pthread_mutex_unlock(&L); if (w >= ms) return TMO; usleep(20000); } }
#ifndef OLD
#include "migstub.h"
#endif
