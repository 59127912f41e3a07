/** The first bytes of wrong content, for errors: the first words of a proxy's page show what it is. */

export function quoted(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 60)).toString('latin1');
  return JSON.stringify(text.replace(/[^\x20-\x7e]+/g, ' ').trim());
}
