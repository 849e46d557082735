/** Macaroons (version 1) with further limits: their holder adds them, without the server that issued it. */
import { createHmac } from 'node:crypto';

const signatureName = 'signature ';

/**
 * A macaroon that also has these caveats, such as `activity:DOWNLOAD` or `path:/data/file`.
 * @returns undefined if the token is no macaroon
 */
export function attenuate(token: string, caveats: readonly string[]): string | undefined {
  const bytes = Buffer.from(token, 'base64url');
  const packets = packetsOf(bytes);
  const last = packets?.pop();
  if (
    packets === undefined ||
    last?.subarray(4, 4 + signatureName.length).toString('latin1') !== signatureName
  )
    return undefined;
  let signature = last.subarray(4 + signatureName.length, -1);
  for (const caveat of caveats) {
    signature = createHmac('sha256', signature).update(caveat).digest();
    packets.push(packet('cid ', Buffer.from(caveat)));
  }
  return Buffer.concat([...packets, packet(signatureName, signature)]).toString('base64url');
}

/** Parts of a macaroon, each with its length in front; undefined for other content. */
function packetsOf(bytes: Buffer): Buffer[] | undefined {
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const text = bytes.subarray(at, at + 4).toString('latin1');
    const length = /^[0-9a-f]{4}$/.test(text) ? Number.parseInt(text, 16) : 0;
    if (length < 6 || at + length > bytes.length) return undefined;
    packets.push(bytes.subarray(at, at + length));
    at += length;
  }
  return packets;
}

function packet(name: string, value: Buffer): Buffer {
  const length = 4 + name.length + value.length + 1;
  const head = `${length.toString(16).padStart(4, '0')}${name}`;
  return Buffer.concat([Buffer.from(head), value, Buffer.from('\n')]);
}
