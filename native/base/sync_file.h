// Two things that C++ has no name for.
#pragma once

#include <cstdio>

namespace cachalot {

/** What was written is on the disk when this returns; false if the system says that it is not. */
bool sync_file(std::FILE* file);

int process_id();

}  // namespace cachalot
