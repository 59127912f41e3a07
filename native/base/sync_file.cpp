#include "base/sync_file.h"

#ifdef _WIN32
#include <io.h>
#include <process.h>
#else
#include <unistd.h>
#endif

namespace cachalot {

#ifdef _WIN32

bool sync_file(std::FILE* file) { return ::_commit(::_fileno(file)) == 0; }
int process_id() { return ::_getpid(); }

#else

bool sync_file(std::FILE* file) { return ::fsync(::fileno(file)) == 0; }
int process_id() { return ::getpid(); }

#endif

}  // namespace cachalot
