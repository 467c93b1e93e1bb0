/* Denial proofs: the examples of RFC 4035 and RFC 5155, and records that must not prove anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dnssec/denial.h"
#include "unit/dnssec_text.h"

enum { ARENA_BYTES = 1 << 20, BUDGET = 1000 };

enum ask { NXDOMAIN, NODATA, WILDCARD, NO_DS };

struct denial_case {
	const char *why, *zone;
	const char *records; /* a line each; "SIGNER | record" if not of ZONE */
	enum ask ask;
	const char *name;
	uint16_t argument; /* type, or labels of the encloser */
	enum denial_result want;
};

static const char *result_text(enum denial_result result)
{
	static const char *const texts[] = {
		[DENIAL_NONE] = "none",	      [DENIAL_PROVEN] = "proven",
		[DENIAL_OPT_OUT] = "opt-out", [DENIAL_ITERATIONS] = "iterations",
		[DENIAL_BUSY] = "busy",	      [DENIAL_LIMIT] = "limit",
	};
	return texts[result];
}

static size_t parse_records(struct arena *arena, const char *zone, const char *lines,
			    struct proven *sets)
{
	char *copy = strdup(lines), *rest = copy;
	size_t count = 0;
	REQUIRE(copy);
	for (char *line; (line = strsep(&rest, "\n"));) {
		const char *signer = zone, *record = line;
		char *bar = strstr(line, " | ");
		if (*line == '\0')
			continue;
		if (bar) {
			*bar = '\0';
			signer = line;
			record = bar + 3;
		}
		/* "-1 | ..." is the zone's signature of a wildcard above. */
		bool expanded = strcmp(signer, "-1") == 0;
		REQUIRE(count < LINES_MAX);
		struct rrset set = parse_set(arena, record);
		sign_in_place(arena, &set, parse_name(arena, expanded ? zone : signer),
			      expanded ? -1 : 0);
		sets[count++] = as_proven(&set);
	}
	free(copy);
	return count;
}

static enum denial_result ask(const struct denial_records *d, enum ask what, const uint8_t *name,
			      uint16_t argument)
{
	switch (what) {
	case NXDOMAIN:
		return denial_nxdomain(d, name);
	case NODATA:
		return denial_nodata(d, name, argument);
	case WILDCARD:
		return denial_wildcard(d, name, argument);
	case NO_DS:
		return denial_no_ds(d, name);
	}
	return DENIAL_NONE;
}

/* RFC 4035 appendix A. */
#define APEX "example. NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY\n"
#define B_CUT "b.example. NSEC ns1.example. NS RRSIG NSEC\n"
#define NS1 "ns1.example. NSEC ns2.example. A RRSIG NSEC\n"
#define WILD "*.w.example. NSEC x.w.example. MX RRSIG NSEC\n"
#define XYW "x.y.w.example. NSEC xx.example. MX RRSIG NSEC\n"

/* RFC 5155 appendix A: every record has the opt-out bit; here P is the same without. */
#define OWNER(hash) hash ".example. NSEC3 1 "
#define SALT " 12 aabbccdd "
#define H_0P9M(f)                                                                                  \
	OWNER("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")                                                  \
	f SALT "2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG\n"
#define H_2T7B(f)                                                                                  \
	OWNER("2t7b4g4vsa5smi47k61mv5bv1a22bojr")                                                  \
	f SALT "2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG\n"
#define H_35MT(f)                                                                                  \
	OWNER("35mthgpgcu1qg68fab165klnsnk3dpvl")                                                  \
	f SALT "b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG\n"
#define H_B4UM(f)                                                                                  \
	OWNER("b4um86eghhds6nea196smvmlo4ors995")                                                  \
	f SALT "gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG\n"
#define H_JI6N(f)                                                                                  \
	OWNER("ji6neoaepv8b5o6k4ev33abha8ht9fgc") f SALT "k8udemvp1j2f7eg6jebps17vp3n8i58h\n"
#define H_K8UD(f)                                                                                  \
	OWNER("k8udemvp1j2f7eg6jebps17vp3n8i58h") f SALT "kohar7mbb8dc2ce8a9qvl8hon4k53uhi\n"
#define H_Q04J(f)                                                                                  \
	OWNER("q04jkcevqvmu85r014c7dkba38o0ji5r")                                                  \
	f SALT "r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG\n"
#define H_R53B(f)                                                                                  \
	OWNER("r53bq7cc2uvmubfu5ocmm6pers9tk9en")                                                  \
	f SALT "t644ebqk9bibcna874givr6joj62mlhv MX RRSIG\n"

static const struct denial_case cases[] = {
	/* RFC 4035 appendix B. */
	{"RFC 4035 §B.2: name error", "example.", B_CUT APEX, NXDOMAIN, "ml.example.", 0,
	 DENIAL_PROVEN},
	{"RFC 4035 §B.2: without the wildcard's record", "example.", B_CUT, NXDOMAIN, "ml.example.",
	 0, DENIAL_NONE},
	{"RFC 4035 §B.3: no data", "example.", NS1, NODATA, "ns1.example.", TYPE_MX, DENIAL_PROVEN},
	{"RFC 4035 §B.3: case does not count", "Example.", NS1, NODATA, "NS1.eXample.", TYPE_MX,
	 DENIAL_PROVEN},
	{"RFC 4035 §B.3: a type that is there", "example.", NS1, NODATA, "ns1.example.", TYPE_A,
	 DENIAL_NONE},
	{"RFC 4035 §B.5: unsigned delegation", "example.", B_CUT, NO_DS, "b.example.", 0,
	 DENIAL_PROVEN},
	{"RFC 4035 §B.6: wildcard expansion", "example.", XYW, WILDCARD, "a.z.w.example.", 2,
	 DENIAL_PROVEN},
	{"RFC 4035 §B.6: from a wildcard too far up", "example.", XYW, WILDCARD, "a.z.w.example.",
	 1, DENIAL_NONE},
	{"RFC 4035 §B.7: wildcard no data", "example.", XYW WILD, NODATA, "a.z.w.example.",
	 TYPE_AAAA, DENIAL_PROVEN},
	{"RFC 4035 §B.7: the wildcard has the type", "example.", XYW WILD, NODATA, "a.z.w.example.",
	 TYPE_MX, DENIAL_NONE},
	{"RFC 4035 §B.7: nothing denies the name itself", "example.", WILD, NODATA,
	 "a.z.w.example.", TYPE_AAAA, DENIAL_NONE},
	{"RFC 4035 §B.8: DS of the apex, by the child", "example.", APEX, NODATA, "example.",
	 TYPE_DS, DENIAL_NONE},

	/* Sides of a cut. */
	{"RFC 4035 §5.2: no DS by the child's apex", "example.", APEX, NO_DS, "example.", 0,
	 DENIAL_NONE},
	{"an apex that hides its SOA", "example.", "example. NSEC a.example. NS RRSIG NSEC", NO_DS,
	 "example.", 0, DENIAL_NONE},
	{"an apex that hides its SOA, no data", "example.",
	 "example. NSEC a.example. NS RRSIG NSEC", NODATA, "example.", TYPE_DS, DENIAL_NONE},
	{"the child's apex in the parent's name", "example.",
	 "b.example. NSEC a.b.example. NS SOA RRSIG NSEC", NO_DS, "b.example.", 0, DENIAL_NONE},
	{"RFC 4035 §3.1.4.1: no data of a cut, by the parent", "example.", B_CUT, NODATA,
	 "b.example.", TYPE_A, DENIAL_NONE},
	{"RFC 4035 §3.1.4.1: no DS of a cut, by the parent", "example.", B_CUT, NODATA,
	 "b.example.", TYPE_DS, DENIAL_PROVEN},
	{"RFC 4035 §5.2: no cut by NSEC, whatever an NSEC3 beside it says", "example.",
	 NS1 "\n2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 12 aabbccdd "
	     "2vptu5timamqttgl4luu9kg21e0aor3s NS",
	 NO_DS, "ns1.example.", 0, DENIAL_NONE},
	{"... where that alone would make one", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 12 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s NS",
	 NO_DS, "ns1.example.", 0, DENIAL_PROVEN},
	{"... no name by NSEC", "example.",
	 "ns0.example. NSEC ns2.example. A\n2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 12 "
	 "aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s NS\nexample. NSEC a.example. NS SOA",
	 NO_DS, "ns1.example.", 0, DENIAL_NONE},
	{"no cut at all", "example.", NS1, NO_DS, "ns1.example.", 0, DENIAL_NONE},
	{"a cut with DS", "example.", "b.example. NSEC ns1.example. NS DS RRSIG NSEC", NO_DS,
	 "b.example.", 0, DENIAL_NONE},
	{"RFC 6840 §4.1: below a cut", "example.", B_CUT APEX, NXDOMAIN, "x.b.example.", 0,
	 DENIAL_NONE},
	{"RFC 6840 §4.1: below a cut, deep", "example.", B_CUT APEX, NXDOMAIN, "x.y.b.example.", 0,
	 DENIAL_NONE},
	{"RFC 6840 §4.1: below a cut, wildcard", "example.", B_CUT, WILDCARD, "x.b.example.", 2,
	 DENIAL_NONE},
	{"RFC 6840 §4.1: below a cut, an empty non-terminal", "example.",
	 "b.example. NSEC x.y.b.example. NS RRSIG NSEC", NODATA, "y.b.example.", TYPE_A,
	 DENIAL_NONE},
	{"RFC 6672 §5.3.4.1: below a DNAME", "example.",
	 "b.example. NSEC ns1.example. DNAME RRSIG NSEC\n" APEX, NXDOMAIN, "x.b.example.", 0,
	 DENIAL_NONE},
	{"RFC 6672 §5.3.4.1: below the apex's DNAME", "example.",
	 "example. NSEC example. NS SOA DNAME RRSIG NSEC DNSKEY", NXDOMAIN, "x.example.", 0,
	 DENIAL_NONE},
	{"beside a DNAME", "example.", "b.example. NSEC ns1.example. DNAME RRSIG NSEC\n" APEX,
	 NXDOMAIN, "c.example.", 0, DENIAL_PROVEN},
	{"a DNAME's owner has no A", "example.", "b.example. NSEC ns1.example. DNAME RRSIG NSEC",
	 NODATA, "b.example.", TYPE_A, DENIAL_PROVEN},

	/* Bitmaps. */
	{"RFC 6840 §4.3: a CNAME would have answered", "example.",
	 "c.example. NSEC d.example. CNAME RRSIG NSEC", NODATA, "c.example.", TYPE_A, DENIAL_NONE},
	{"RFC 6840 §4.3: a CNAME at the wildcard", "example.",
	 "*.w.example. NSEC x.w.example. CNAME RRSIG NSEC\n" XYW, NODATA, "a.z.w.example.", TYPE_A,
	 DENIAL_NONE},
	{"ANY is no type to lack", "example.", NS1, NODATA, "ns1.example.", TYPE_ANY, DENIAL_NONE},
	{"a type of the second window", "example.", "a.example. NSEC b.example. A TYPE257", NODATA,
	 "a.example.", 257, DENIAL_NONE},
	{"a type behind the second window", "example.", "a.example. NSEC b.example. A TYPE257",
	 NODATA, "a.example.", 65280, DENIAL_PROVEN},

	/* Gaps. */
	{"RFC 4592 §2.2.2: an empty non-terminal has no data", "example.",
	 "ns2.example. NSEC *.w.example. A RRSIG NSEC", NODATA, "w.example.", TYPE_A,
	 DENIAL_PROVEN},
	{"RFC 4592 §2.2.2: it is no name error", "example.",
	 "ns2.example. NSEC *.w.example. A RRSIG NSEC\n" APEX, NXDOMAIN, "w.example.", 0,
	 DENIAL_NONE},
	{"RFC 4592 §2.2.2: nor could a wildcard answer in its place", "example.",
	 "ns2.example. NSEC x.w.example. A RRSIG NSEC", WILDCARD, "w.example.", 1, DENIAL_NONE},
	{"the last gap, up to the apex", "example.", "xx.example. NSEC example. A\n" APEX, NXDOMAIN,
	 "zz.example.", 0, DENIAL_PROVEN},
	{"the last gap does not reach before its owner", "example.",
	 "xx.example. NSEC example. A\n" APEX, NXDOMAIN, "ab.example.", 0, DENIAL_NONE},
	{"a zone of one name", "example.", "example. NSEC example. NS SOA", NXDOMAIN,
	 "a.b.example.", 0, DENIAL_PROVEN},
	{"a zone of one name, the wildcard itself", "example.", "example. NSEC example. NS SOA",
	 NXDOMAIN, "*.example.", 0, DENIAL_PROVEN},
	{"the apex exists", "example.", "example. NSEC example. NS SOA", NXDOMAIN, "example.", 0,
	 DENIAL_NONE},
	{"a gap's own ends exist", "example.", NS1 APEX, NXDOMAIN, "ns2.example.", 0, DENIAL_NONE},
	{"a gap that runs backwards", "example.", "ns2.example. NSEC ns1.example. A\n" APEX,
	 NXDOMAIN, "zz.example.", 0, DENIAL_NONE},
	{"a gap onto itself below the apex", "example.", "ns2.example. NSEC ns2.example. A\n" APEX,
	 NXDOMAIN, "zz.example.", 0, DENIAL_NONE},
	{"the wildcard exists as an empty non-terminal", "example.",
	 "example. NSEC x.*.example. NS SOA\nx.*.example. NSEC example. A", NXDOMAIN, "y.example.",
	 0, DENIAL_NONE},
	{"and so has no data", "example.",
	 "example. NSEC x.*.example. NS SOA\nx.*.example. NSEC example. A", NODATA, "y.example.",
	 TYPE_A, DENIAL_PROVEN},
	{"RFC 9824 §3.1: a gap of one name", "example.",
	 "q.example. NSEC \\000.q.example. RRSIG NSEC TYPE128", NODATA, "q.example.", TYPE_A,
	 DENIAL_PROVEN},

	/* The root. */
	{"the root: name error", ".", ". NSEC aaa. NS SOA RRSIG NSEC DNSKEY\nzw. NSEC . NS DS",
	 NXDOMAIN, "zz.", 0, DENIAL_PROVEN},
	{"the root: unsigned delegation", ".", "aq. NSEC ar. NS RRSIG NSEC", NO_DS, "aq.", 0,
	 DENIAL_PROVEN},
	{"the root: its own DS", ".", ". NSEC aaa. NS SOA RRSIG NSEC DNSKEY", NODATA, ".", TYPE_DS,
	 DENIAL_PROVEN},
	{"the root: its own A", ".", ". NSEC aaa. NS SOA RRSIG NSEC DNSKEY", NODATA, ".", TYPE_A,
	 DENIAL_PROVEN},
	{"the root: below a delegation", ".", "zw. NSEC . NS DS\n. NSEC aaa. NS SOA", NXDOMAIN,
	 "x.zw.", 0, DENIAL_NONE},

	/* Records that are not of the zone. */
	{"owner outside the zone", "b.example.", "example. NSEC c.example. NS SOA", NXDOMAIN,
	 "x.b.example.", 0, DENIAL_NONE},
	{"owner outside the zone, next name inside", "b.example.", "a.example. NSEC z.b.example. A",
	 NXDOMAIN, "c.b.example.", 0, DENIAL_NONE},
	{"next name outside the zone", "b.example.",
	 "b.example. NSEC a.b.example. NS SOA\ny.b.example. NSEC c.example. A", NXDOMAIN,
	 "z.b.example.", 0, DENIAL_NONE},
	{"the asked name outside the zone", "b.example.", "b.example. NSEC b.example. NS SOA",
	 NXDOMAIN, "c.example.", 0, DENIAL_NONE},
	{"the parent's signature", "b.example.", "example. | b.example. NSEC b.example. NS SOA",
	 NXDOMAIN, "c.b.example.", 0, DENIAL_NONE},
	{"the child's signature", "example.", "b.example. | b.example. NSEC c.example. NS", NO_DS,
	 "b.example.", 0, DENIAL_NONE},
	{"RFC 4035 §5.3.4: an NSEC expanded from a wildcard", "example.",
	 "-1 | m.example. NSEC example. A\n" APEX, NXDOMAIN, "ns1.example.", 0, DENIAL_NONE},

	/* RFC 5155 appendix B, with its opt-out bits and without. */
	{"RFC 5155 §B.1: name error", "example.", H_0P9M("1") H_B4UM("1") H_35MT("1"), NXDOMAIN,
	 "a.c.x.w.example.", 0, DENIAL_OPT_OUT},
	{"RFC 5155 §B.1: without opt-out", "example.", H_0P9M("0") H_B4UM("0") H_35MT("0"),
	 NXDOMAIN, "a.c.x.w.example.", 0, DENIAL_PROVEN},
	{"RFC 5155 §B.1: without the wildcard's record", "example.", H_0P9M("0") H_B4UM("0"),
	 NXDOMAIN, "a.c.x.w.example.", 0, DENIAL_NONE},
	{"RFC 5155 §B.1: without the encloser's record", "example.", H_0P9M("0") H_35MT("0"),
	 NXDOMAIN, "a.c.x.w.example.", 0, DENIAL_NONE},
	{"RFC 5155 §B.2: no data", "example.", H_2T7B("1"), NODATA, "ns1.example.", TYPE_MX,
	 DENIAL_PROVEN},
	{"RFC 5155 §B.2: a type that is there", "example.", H_2T7B("1"), NODATA, "ns1.example.",
	 TYPE_A, DENIAL_NONE},
	{"RFC 5155 §B.2.1: empty non-terminal", "example.", H_JI6N("1"), NODATA, "y.w.example.",
	 TYPE_A, DENIAL_PROVEN},
	{"RFC 5155 §B.3: opt-out delegation", "example.", H_35MT("1") H_0P9M("1"), NO_DS,
	 "c.example.", 0, DENIAL_OPT_OUT},
	{"RFC 5155 §B.3: without opt-out it would be in the chain", "example.",
	 H_35MT("0") H_0P9M("0"), NO_DS, "c.example.", 0, DENIAL_NONE},
	{"RFC 5155 §8.6: DS in an opt-out span", "example.", H_35MT("1") H_0P9M("1"), NODATA,
	 "c.example.", TYPE_DS, DENIAL_OPT_OUT},
	{"RFC 5155 §B.4: wildcard expansion", "example.", H_Q04J("1"), WILDCARD, "a.z.w.example.",
	 2, DENIAL_OPT_OUT},
	{"RFC 5155 §B.4: without opt-out", "example.", H_Q04J("0"), WILDCARD, "a.z.w.example.", 2,
	 DENIAL_PROVEN},
	{"RFC 5155 §B.4: the next closer name exists", "example.", H_Q04J("0"), WILDCARD,
	 "x.y.w.example.", 2, DENIAL_NONE},
	{"RFC 5155 §1.3: a chain of one record does not cover its owner", "example.",
	 OWNER("2t7b4g4vsa5smi47k61mv5bv1a22bojr") "0" SALT "2t7b4g4vsa5smi47k61mv5bv1a22bojr A",
	 WILDCARD, "ns1.example.", 1, DENIAL_NONE},
	{"RFC 5155 §1.3: but all else", "example.",
	 OWNER("2t7b4g4vsa5smi47k61mv5bv1a22bojr") "0" SALT "2t7b4g4vsa5smi47k61mv5bv1a22bojr A",
	 WILDCARD, "ns2.example.", 1, DENIAL_PROVEN},
	{"RFC 5155 §B.5: wildcard no data", "example.", H_K8UD("1") H_Q04J("1") H_R53B("1"), NODATA,
	 "a.z.w.example.", TYPE_AAAA, DENIAL_OPT_OUT},
	{"RFC 5155 §B.5: without opt-out", "example.", H_K8UD("0") H_Q04J("0") H_R53B("0"), NODATA,
	 "a.z.w.example.", TYPE_AAAA, DENIAL_PROVEN},
	{"RFC 5155 §B.5: the wildcard has the type", "example.",
	 H_K8UD("0") H_Q04J("0") H_R53B("0"), NODATA, "a.z.w.example.", TYPE_MX, DENIAL_NONE},
	{"RFC 5155 §B.6: DS of the apex, by the child", "example.", H_0P9M("1"), NODATA, "example.",
	 TYPE_DS, DENIAL_NONE},
	{"RFC 5155 §B.6: no DS of the apex, by the child", "example.", H_0P9M("1"), NO_DS,
	 "example.", 0, DENIAL_NONE},
	{"a cut with DS", "example.", H_35MT("1"), NO_DS, "a.example.", 0, DENIAL_NONE},
	{"RFC 5155 §8.3: the encloser is a cut", "example.", H_35MT("0") H_B4UM("0") H_0P9M("0"),
	 NXDOMAIN, "x.a.example.", 0, DENIAL_NONE},

	/* NSEC3 records that are to be ignored. */
	{"RFC 5155 §8.2: unknown flags", "example.", H_2T7B("3"), NODATA, "ns1.example.", TYPE_MX,
	 DENIAL_NONE},
	{"RFC 5155 §8.1: unknown hash", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 2 0 12 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"RFC 5155 §8.2: parameters that differ", "example.",
	 H_0P9M("0") H_B4UM("0") "35mthgpgcu1qg68fab165klnsnk3dpvl.example. NSEC3 1 0 11 aabbccdd "
				 "b4um86eghhds6nea196smvmlo4ors995 NS DS",
	 NXDOMAIN, "a.c.x.w.example.", 0, DENIAL_NONE},
	{"RFC 9276 §3.2: 51 iterations", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 51 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_ITERATIONS},
	{"RFC 9276 §3.2: 50 iterations are looked at", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 50 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"too many iterations, but of another zone", "example.",
	 "org. | 2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 500 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"too many iterations beside a proof", "example.",
	 "35mthgpgcu1qg68fab165klnsnk3dpvl.example. NSEC3 1 0 500 aabbccdd "
	 "b4um86eghhds6nea196smvmlo4ors995 NS\n" H_2T7B("0"),
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_PROVEN},
	{"a hash that is not directly below the apex", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.b.example. NSEC3 1 0 12 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"a hash with a letter too few", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22boj.example. NSEC3 1 0 12 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"a hash that is none", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojw.example. NSEC3 1 0 12 aabbccdd "
	 "2vptu5timamqttgl4luu9kg21e0aor3s A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"a next hash of 10 bytes", "example.",
	 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3 1 0 12 aabbccdd 2vptu5timamqttgl A",
	 NODATA, "ns1.example.", TYPE_MX, DENIAL_NONE},
	{"no record at all", "example.", "", NXDOMAIN, "a.example.", 0, DENIAL_NONE},
};

static enum denial_result run_on(const struct denial_case *c, struct denial_budget *budget,
				 struct denial_memo *memo)
{
	struct arena arena;
	struct proven sets[LINES_MAX];
	arena_init(&arena, ARENA_BYTES);
	struct denial_records d = {
		.zone = parse_name(&arena, c->zone),
		.sets = sets,
		.count = parse_records(&arena, c->zone, c->records, sets),
		.budget = budget,
		.memo = memo,
	};
	enum denial_result result = ask(&d, c->ask, parse_name(&arena, c->name), c->argument);
	arena_deinit(&arena);
	return result;
}

static enum denial_result run(const struct denial_case *c, struct denial_budget *budget)
{
	return run_on(c, budget, NULL);
}

static void test_cases(void **state)
{
	(void)state;
	unsigned failures = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct denial_budget budget = {BUDGET};
		enum denial_result got = run(&cases[i], &budget);
		if (got == cases[i].want)
			continue;
		print_error("%s: got %s, want %s\n", cases[i].why, result_text(got),
			    result_text(cases[i].want));
		failures++;
	}
	assert_int_equal(failures, 0);
}

/* Whatever the budget, a call takes no more of it and never proves more. */
static void test_budget(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct denial_budget plenty = {BUDGET};
		enum denial_result whole = run(&cases[i], &plenty);
		unsigned used = BUDGET - plenty.hashes_left;
		for (unsigned left = 0; left <= used; left++) {
			struct denial_budget budget = {left};
			enum denial_result got = run(&cases[i], &budget);
			if (got != (left < used ? DENIAL_LIMIT : whole))
				fail_msg("%s: %s with %u hashes", cases[i].why, result_text(got),
					 left);
		}
	}
}

/* A proof made in pieces, be it a hash at a time, comes to the same and costs no more; nor does it
 * matter what other proofs have left in the memo. */
static void test_pieces(void **state)
{
	(void)state;
	struct denial_memo memo = {0};
	for (unsigned piece = 1; piece <= 3; piece++) {
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct denial_budget plenty = {BUDGET}, budget = {BUDGET};
			enum denial_result whole = run(&cases[i], &plenty), got = DENIAL_BUSY;
			unsigned rounds = 0;
			for (; got == DENIAL_BUSY && rounds <= BUDGET; rounds++) {
				memo.left = piece;
				got = run_on(&cases[i], &budget, &memo);
			}
			if (got != whole || budget.hashes_left < plenty.hashes_left)
				fail_msg("%s: %s in %u pieces of %u, %u hashes left, not %u",
					 cases[i].why, result_text(got), rounds, piece,
					 budget.hashes_left, plenty.hashes_left);
		}
	}
}

/* A name of 127 labels costs a hash for each of them and no more. */
static void test_longest_name(void **state)
{
	(void)state;
	char name[2 * 127 + 1] = "";
	for (int i = 0; i < 126; i++)
		strcat(name, "a.");
	strcat(name, "b");
	struct denial_case c = {"",	    "b.", OWNER("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
				NXDOMAIN,   name, 0,
				DENIAL_NONE};
	c.records = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.b. NSEC3 1 0 50 - "
		    "2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA";
	struct denial_budget budget = {BUDGET};
	assert_int_equal(run(&c, &budget), DENIAL_NONE);
	assert_int_equal(BUDGET - budget.hashes_left, 127);
}

static void test_closest_encloser(void **state)
{
	(void)state;
	static const struct {
		const char *why, *records, *name;
		unsigned want;
	} table[] = {
		{"by the gap's owner", XYW, "z.y.w.example.", 3},
		{"by the gap's next name", WILD, "a.w.example.", 2},
		{"the apex", B_CUT, "ml.example.", 1},
		{"the name itself", NS1, "ns1.example.", 2},
		{"an empty non-terminal", "ns2.example. NSEC x.w.example. A", "w.example.", 2},
		{"not by this gap", NS1, "xx.example.", DENIAL_ENCLOSER_UNKNOWN},
		{"below a cut", B_CUT, "x.b.example.", DENIAL_ENCLOSER_UNKNOWN},
		{"NSEC3", H_0P9M("0") H_B4UM("0"), "a.c.x.w.example.", 3},
		{"NSEC3, the name itself", H_2T7B("0"), "ns1.example.", 2},
		{"NSEC3, no next closer name", H_B4UM("0"), "a.c.x.w.example.",
		 DENIAL_ENCLOSER_UNKNOWN},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct arena arena;
		struct proven sets[LINES_MAX];
		struct denial_budget budget = {BUDGET};
		arena_init(&arena, ARENA_BYTES);
		struct denial_records d = {
			.zone = parse_name(&arena, "example."),
			.sets = sets,
			.count = parse_records(&arena, "example.", table[i].records, sets),
			.budget = &budget,
		};
		unsigned got = denial_closest_encloser(&d, parse_name(&arena, table[i].name));
		arena_deinit(&arena);
		if (got != table[i].want)
			fail_msg("%s: %u labels", table[i].why, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_closest_encloser),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
