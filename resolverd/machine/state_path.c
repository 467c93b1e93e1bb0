#include "machine/state_path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* Who may look in sees what was asked. */
enum { STATE_PATH_MODE = 0700 };

void state_path_make(const struct config *config)
{
	const char *path = config->state_path;

	if (mkdir(path, STATE_PATH_MODE) != 0)
		return;
	if (config->sandbox && config->sandbox_user &&
	    chown(path, config->sandbox_uid, config->sandbox_gid) != 0) {
		log_warning("cannot give away the new directory path=%s user=%s reason=\"%s\"",
			    path, config->sandbox_user, strerrordesc_np(errno));
		return;
	}
	log_notice("directory made path=%s", path);
}
