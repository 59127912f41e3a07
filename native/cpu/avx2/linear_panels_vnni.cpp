// linear_panels for machines that have AVX-VNNI but not AVX-512: compiled with -mavxvnni.
#define CACHALOT_AVXVNNI
#include "cpu/avx2/linear_panels.cpp"
