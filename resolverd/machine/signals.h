#pragma once
/*
 * Signals as events of the main thread's loop. They are blocked in every thread, so that nothing
 * is ever interrupted: call signals_block() before any thread begins.
 */
#include "base/err.h"
#include "net/loop.h"

struct signals { /* main thread */
	struct loop *loop;
	struct loop_watch watch;
	void (*stop)(void *context);   /* SIGTERM, SIGINT */
	void (*reload)(void *context); /* SIGHUP */
	void *context;
};

/* From the first instruction: a SIGHUP that comes before the others are blocked waits until the loop
 * reads it, also where the daemon has been started with SIGHUP ignored, as by who sends it so early that
 * it would end the loader (signal(7): what is blocked is kept, whatever is done with it). What would end the daemon may do so until then: it has nothing to lose yet. */
void signals_hold(void);
void signals_block(void);

/* Watch for them; LOOP, and the fields stop, reload and context, are set. ERR_SYSTEM. */
MUST_USE enum err signals_init(struct signals *s);
void signals_deinit(struct signals *s);
