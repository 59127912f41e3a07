/** A GPU that can be used. */
export interface CudaDevice {
  name: string;
  /** "9.0" */
  computeCapability: string;
  totalBytes: number;
}
