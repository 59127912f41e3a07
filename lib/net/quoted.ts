/** The first bytes of what should have been something else: a page of a proxy tells in its first words what it is. */

export function quoted(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 60)).toString('latin1');
  return JSON.stringify(text.replace(/[^\x20-\x7e]+/g, ' ').trim());
}
