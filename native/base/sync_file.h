// What C++ cannot say: that bytes are on the disk, and who we are among those that write there.
#pragma once

#include <cstdio>

namespace cachalot {

/** What was written is on the disk when this returns; false if the system says that it is not. */
bool sync_file(std::FILE* file);

int process_id();

}  // namespace cachalot
