#include "grammar/schema/formats.h"

#include <utility>

namespace cachalot {

namespace {

// RFC 3339; February has its 29th in leap years only.
#define FULL_DATE                                                                      \
  "([0-9]{4}-(((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)-(0[1-9]|[12]["  \
  "0-9]|30))|(02-(0[1-9]|1[0-9]|2[0-8])))|(([0-9]{2}(0[48]|[2468][048]|[13579][26]))|" \
  "(([02468][048]|[13579][26])00))-02-29)"
#define FULL_TIME                                                                               \
  "(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+\\-]([01][0-9]|2[0-3]):[0-" \
  "5][0-9])|23:59:60(\\.[0-9]{1,9})?[Zz])"

#define LABEL "[A-Za-z0-9]([A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?"
#define HOST LABEL "(\\." LABEL ")*"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4 OCTET "(\\." OCTET "){3}"
#define WORD "[0-9A-Fa-f]{1,4}"
#define LAST "(" WORD ":" WORD "|" IPV4 ")"
#define IPV6                                                                                      \
  "((" WORD ":){6}" LAST "|::(" WORD ":){5}" LAST "|(" WORD ")?::(" WORD ":){4}" LAST "|((" WORD  \
  ":){0,1}" WORD ")?::(" WORD ":){3}" LAST "|((" WORD ":){0,2}" WORD ")?::(" WORD ":){2}" LAST    \
  "|((" WORD ":){0,3}" WORD ")?::" WORD ":" LAST "|((" WORD ":){0,4}" WORD ")?::" LAST "|((" WORD \
  ":){0,5}" WORD ")?::" WORD "|((" WORD ":){0,6}" WORD ")?::)"

// RFC 3986.
#define PERCENT "%[0-9A-Fa-f]{2}"
#define PCHAR "([A-Za-z0-9\\-._~!$&'()*+,;=:@]|" PERCENT ")"
#define AUTHORITY                                             \
  "(([A-Za-z0-9\\-._~!$&'()*+,;=:]|" PERCENT ")*@)?(\\[" IPV6 \
  "\\]|([A-Za-z0-9\\-._~!$&'()*+,;=]|" PERCENT ")*)(:[0-9]*)?"
#define TAIL "(\\?(" PCHAR "|[/?])*)?(#(" PCHAR "|[/?])*)?"
#define PATHS "(/" PCHAR "*)*"
#define URI                                                                              \
  "[A-Za-z][A-Za-z0-9+\\-.]*:(//" AUTHORITY PATHS "|/(" PCHAR "+(/" PCHAR "*)*)?|" PCHAR \
  "+(/" PCHAR "*)*)" TAIL
#define RELATIVE                                                                                \
  "(//" AUTHORITY PATHS "|/(" PCHAR "+(/" PCHAR "*)*)?|([A-Za-z0-9\\-._~!$&'()*+,;=@]|" PERCENT \
  ")+(/" PCHAR "*)*)?" TAIL

#define ATOM "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-]+"

constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"date", FULL_DATE},
    {"time", FULL_TIME},
    {"date-time", FULL_DATE "[Tt]" FULL_TIME},
    {"duration",
     "P((([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-"
     "9]"
     "+M([0-9]+S)?|[0-9]+S))?)|T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)|[0-9]+W)"},
    {"email", ATOM "(\\." ATOM ")*@(" LABEL "\\.)+" LABEL},
    {"hostname", HOST},
    {"ipv4", IPV4},
    {"ipv6", IPV6},
    {"uri", URI},
    {"uri-reference", "(" URI "|" RELATIVE ")"},
    {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
    {"json-pointer", "(/([^~/]|~[01])*)*"},
    {"relative-json-pointer", "(0|[1-9][0-9]*)(#|(/([^~/]|~[01])*)*)"},
};

}  // namespace

std::string_view pattern_of_format(std::string_view format) {
  for (const auto& [name, pattern] : kFormats)
    if (name == format) return pattern;
  return {};
}

}  // namespace cachalot
