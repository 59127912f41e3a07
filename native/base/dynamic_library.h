// A shared library that is loaded at run time, and stays loaded as long as the process lives:
// threads of its own may still run when the last user is gone.
#pragma once

#include <string>

namespace cachalot {

class DynamicLibrary {
 public:
  /** Throws Error{io} with the system's message. */
  explicit DynamicLibrary(const std::string& path);

  /** Null if there is none of that name. */
  void* symbol(const char* name) const;

 private:
  void* handle_;
};

/** The folder of the binary that this code is in: the addon's, wherever it was installed. */
std::string own_folder();

}  // namespace cachalot
