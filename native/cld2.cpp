// Language identification by CLD2 (Debian: libcld2-dev) behind two C functions, in a library of its own: clean never loads libtorch.
// Nothing is thrown across, nothing is kept; any thread may call. Contract of lora_cld2_detect in src/LoraFactory.Stages/Clean/Text/Cld2.cs.
#include <cstdio> // CLD2's header needs it

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <cstring>

#define EXPORT extern "C" __attribute__((visibility("default")))

// 1: this contract.
EXPORT int lora_cld2_version() { return 1; }

// The three likeliest languages of valid UTF-8 of `length` bytes, codes of at most 15 characters ("" for none), with percent of the text and
// score for each. `language` and `tld` are hints, or null. Returns the bytes of valid UTF-8 at the start: less than `length` means nothing was
// detected; -1 for a fault.
EXPORT int lora_cld2_detect(const char* text, int length, const char* language, const char* tld, int best_effort, char (*codes)[16], int* percents,
                            double* scores, int* letters, int* reliable) {
  try {
    CLD2::CLDHints hints = {language, tld, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
    CLD2::Language found[3] = {CLD2::UNKNOWN_LANGUAGE, CLD2::UNKNOWN_LANGUAGE, CLD2::UNKNOWN_LANGUAGE};
    bool sure = false;
    int valid = 0;
    CLD2::ExtDetectLanguageSummaryCheckUTF8(text, length, true, &hints, best_effort ? CLD2::kCLDFlagBestEffort : 0, found, percents, scores, nullptr,
                                            letters, &sure, &valid);
    *reliable = sure;
    for (int i = 0; i < 3; i++) {
      codes[i][0] = 0;
      if (found[i] != CLD2::UNKNOWN_LANGUAGE) std::strncat(codes[i], CLD2::LanguageCode(found[i]), 15);
    }
    return valid;
  } catch (...) {
    return -1;
  }
}
