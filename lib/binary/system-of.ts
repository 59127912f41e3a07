/** The system that a binary is for: of this process, and of a file by its first bytes. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Node's names of processors, by the numbers that each format has for them. */
const ELF: Record<number, string> = {
  3: 'ia32',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
};
const MACH: Record<number, string> = { 0x01000007: 'x64', 0x0100000c: 'arm64' };
const PE: Record<number, string> = { 0x14c: 'ia32', 0x8664: 'x64', 0xaa64: 'arm64' };

const HEADER_BYTES = 4096;

/** "linux-x64", "linux-x64 with musl", "win32-x64" */
export function ownSystem(): string {
  const system = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' ? `${system} with ${cLibrary()}` : system;
}

function cLibrary(): 'glibc' | 'musl' {
  const { header } = (process.report?.getReport() ?? {}) as {
    header?: { glibcVersionRuntime?: string };
  };
  return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** "linux-arm64"; undefined if the file is not a library of any system, or is cut off. Throws the file system's errors. */
export function systemOfFile(path: string): string | undefined {
  const { bytes, size } = beginningOf(path);
  if (bytes.length < 64) return undefined;
  const processor = (names: Record<number, string>, id: number) => names[id] ?? `processor ${id}`;
  const magic = bytes.readUInt32BE(0);
  if (magic === 0x7f454c46)
    return elfBytes(bytes) > size ? undefined : `linux-${processor(ELF, bytes.readUInt16LE(18))}`;
  if (magic === 0xcffaedfe) return `darwin-${processor(MACH, bytes.readUInt32LE(4))}`;
  const at = bytes.readUInt32LE(60); // of a PE header, after the DOS header
  const isPe = magic >>> 16 === 0x4d5a && at + 6 <= bytes.length;
  return isPe ? `win32-${processor(PE, bytes.readUInt16LE(at + 4))}` : undefined;
}

/** The length of a file whose table of sections stands at its end. Linux kills a process that loads a file that is cut off. */
function elfBytes(bytes: Buffer): number {
  if (bytes[4] !== 2) return 0; // 32-bit files have other offsets
  return Number(bytes.readBigUInt64LE(40)) + bytes.readUInt16LE(58) * bytes.readUInt16LE(60);
}

function beginningOf(path: string): { bytes: Buffer; size: number } {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    return { bytes: bytes.subarray(0, readSync(file, bytes)), size: fstatSync(file).size };
  } finally {
    closeSync(file);
  }
}
