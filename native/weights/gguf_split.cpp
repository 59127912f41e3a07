#include "weights/gguf_split.h"

#include <filesystem>
#include <map>

namespace cachalot {

namespace {

constexpr uint64_t kMaxParts = 99'999;  // the largest number of five digits

/** The numbers that a part gives for itself. */
struct Part {
  uint64_t number, count, n_tensors;  // number from 0; tensors of all parts
};

std::string five_digits(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

std::string ending(uint64_t number, uint64_t count) {
  return "-" + five_digits(number + 1) + "-of-" + five_digits(count) + ".gguf";
}

std::string in_words(uint64_t number, uint64_t count) {
  return "part " + std::to_string(number + 1) + " of " + std::to_string(count);
}

/** Returns nothing for a file that is a whole model. A merged file says that it has 0 parts. */
std::optional<Part> find_part(const GgufFile& file, const std::string& path) try {
  const uint64_t count = find_gguf_count(file.metadata, "split.count").value_or(0);
  if (count <= 1) return std::nullopt;
  const auto number = find_gguf_count(file.metadata, "split.no"),
             n_tensors = find_gguf_count(file.metadata, "split.tensors.count");
  if (!number || !n_tensors || *number >= count || count > kMaxParts) {
    throw Error(ErrorCode::kFileBadMetadata,
                "it is one of " + std::to_string(count) +
                    " parts of a model, but 'split.no' or 'split.tensors.count' is missing or "
                    "makes no sense");
  }
  return Part{*number, count, *n_tensors};
} catch (const Error& error) {
  throw Error(error.code(), "cannot read '" + path + "': " + error.what());
}

/** The beginning of the first part's path, before "-00001-of-0000N.gguf". */
std::string prefix_of(const std::string& path, const Part& part) {
  const std::string own = ending(part.number, part.count);
  const bool is_named_so = path.ends_with(own);
  const std::string prefix = is_named_so ? path.substr(0, path.size() - own.size()) : "";
  if (part.number != 0) {
    const std::string first =
        is_named_so ? "'" + prefix + ending(0, part.count) + "'" : "the first part";
    throw Error(ErrorCode::kInvalidArgument,
                "'" + path + "' is " + in_words(part.number, part.count) + " of a model: load " +
                    first + ", and the others are found beside it");
  }
  if (!is_named_so) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + path + "' is " + in_words(0, part.count) +
                    " of a model, and the others are found by its name, which must end with '" +
                    own + "'");
  }
  return prefix;
}

GgufFile read_part(const std::string& path, uint64_t number, const Part& first,
                   const std::string& first_path) {
  const std::string expected = in_words(number, first.count) + " of the model '" + first_path + "'";
  std::error_code unreadable;  // reading it says why
  if (!std::filesystem::exists(path, unreadable) && !unreadable)
    throw Error(ErrorCode::kModelNotFound, expected + " is missing: there is no '" + path + "'");
  GgufFile file = read_gguf_file(path, {{}, 0});
  const auto part = find_part(file, path);
  if (!part || part->number != number || part->count != first.count ||
      part->n_tensors != first.n_tensors) {
    throw Error(ErrorCode::kFileBadMetadata,
                "'" + path + "' is not " + expected + ", but " +
                    (part ? in_words(part->number, part->count) + " of a model of " +
                                std::to_string(part->n_tensors) +
                                " tensors (expected: " + std::to_string(first.n_tensors) + ")"
                          : "a model of its own"));
  }
  return file;
}

}  // namespace

GgufFile read_gguf(const std::string& path, const WantedMetadata& wanted) {
  GgufFile model = read_gguf_file(path, wanted);
  const auto first = find_part(model, path);
  if (!first) return model;
  const std::string prefix = prefix_of(path, *first);
  std::map<std::string, std::string> found_in;
  for (const auto& tensor : model.tensors) found_in.emplace(tensor.name, path);
  for (uint64_t number = 1; number < first->count; number++) {
    const std::string part_path = prefix + ending(number, first->count);
    for (auto& tensor : read_part(part_path, number, *first, path).tensors) {
      const auto [found, is_new] = found_in.emplace(tensor.name, part_path);
      if (!is_new) {
        throw Error(ErrorCode::kFileDuplicateTensor, "tensor '" + tensor.name + "' is in '" +
                                                         part_path + "', and in '" + found->second +
                                                         "' as well");
      }
      model.tensors.push_back(std::move(tensor));
    }
  }
  if (model.tensors.size() != first->n_tensors) {
    throw Error(ErrorCode::kFileBadMetadata,
                "the " + std::to_string(first->count) + " parts of '" + path + "' have " +
                    std::to_string(model.tensors.size()) +
                    " tensors together, but say that it is " + std::to_string(first->n_tensors) +
                    ": one of them is of another model");
  }
  return model;
}

}  // namespace cachalot
