/** The hash slot that Redis Cluster gives a key: CRC16 (XMODEM) of its hash tag, or of all of it. */

export const HASH_SLOTS = 16_384;

/** The slot of `key`, 0 to {@link HASH_SLOTS} − 1. */
export function hashSlot(key: string): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    }
    crc &= 0xffff;
  }
  return crc % HASH_SLOTS;
}
