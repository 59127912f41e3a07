/** What tests turn on an emulated GPU. See native/cuda/emu/control.h. */
export interface EmulatorBinding {
  /** In which order emulated threads run (0 forward, 1 reverse, 2 random), when asynchronous copies land (0 late, 1 early,
   *  2 either), and on how many OS threads blocks run. */
  emulatorOrder(
    library: string,
    order: number,
    copies: number,
    seed: number,
    threads: number,
  ): void;
  /** CUDA's runtime fails after so many calls, for good; -1 mends it. */
  emulatorFailAfter(library: string, calls: number): void;
  emulatorMemory(library: string, bytes: number): void;
  emulatorCounts(library: string): {
    usedBytes: number;
    graphLaunches: number;
    uploadedBytes: number;
  };
  /** From here on launches are checked. Only the checked library does. */
  emulatorCheck(library: string): void;
  emulatorReport(library: string): string;
  /** A kernel with a known fault: 0 none, 1 a race, 2 bank conflicts, 3 a barrier that not all reach. */
  emulatorPlanted(library: string, fault: number): string;
}
