import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Finds the address of a request's client. */
export type ClientAddress = (request: IncomingMessage) => string;

/**
 * The address of the connection or, if that is a trusted proxy, the last address in `X-Forwarded-For` that is
 * not one: a client can write anything in front of it. IPv6 addresses count by their /64, which one client
 * has alone.
 */
export function clientAddresses(trustedProxies: readonly string[] = []): ClientAddress {
  const trusted = new BlockList();
  for (const entry of trustedProxies) addTo(trusted, entry);
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return ({ socket, headers }) => {
    let address = plain(socket.remoteAddress ?? '');
    if (trustedProxies.length === 0 || !isTrusted(address)) return networkOf(address);
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
    while (forwarded.length > 0 && isTrusted(address)) {
      const previous = plain(forwarded.pop()?.trim() ?? '');
      if (isIP(previous) === 0) break;
      address = previous;
    }
    return networkOf(address);
  };
}

/** True for an address or a network in CIDR form. */
export function isNetwork(entry: string): boolean {
  const [address = '', bits] = entry.split('/');
  const version = isIP(address);
  if (version === 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32));
}

function addTo(list: BlockList, entry: string): void {
  const [address = '', bits] = entry.split('/');
  const version = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (bits === undefined) list.addAddress(address, version);
  else list.addSubnet(address, Number(bits), version);
}

/** An IPv4 address that a dual-stack socket shows as IPv6. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const missing = 8 - groups.length - (tail === undefined || tail === '' ? 0 : tail.split(':').length);
  if (tail !== undefined) groups.push(...Array<string>(missing).fill('0'), ...tail.split(':'));
  return `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
