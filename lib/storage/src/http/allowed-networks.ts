/** Networks that requests may reach: all public ones, and those private ones that are allowed. */
import { lookup as lookUp } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { isMetadataAddress, RefusedAddress } from './metadata-addresses.js';

/** Decides about the addresses that requests are sent to. */
export interface AddressPolicy {
  /** Throws for a URL with the address itself, which is not looked up. @throws RefusedAddress */
  assertAllowed(url: string): void;
  /** Looks a name up, and fails with RefusedAddress if one of its addresses is not allowed. */
  readonly lookup: LookupFunction;
}

const subnets: readonly (readonly [network: string, prefix: number, kind: string])[] = [
  ['0.0.0.0', 8, 'this machine'],
  ['127.0.0.0', 8, 'this machine'],
  ['::', 128, 'this machine'],
  ['::1', 128, 'this machine'],
  ['10.0.0.0', 8, 'a private network'],
  ['100.64.0.0', 10, 'a private network'],
  ['172.16.0.0', 12, 'a private network'],
  ['192.168.0.0', 16, 'a private network'],
  ['fc00::', 7, 'a private network'],
  ['fec0::', 10, 'a private network'],
  ['169.254.0.0', 16, 'a link-local address'],
  ['fe80::', 10, 'a link-local address'],
  ['192.0.0.0', 24, 'a reserved address'],
  ['198.18.0.0', 15, 'a reserved address'],
  ['224.0.0.0', 4, 'a multicast address'],
  ['240.0.0.0', 4, 'a reserved address'],
  ['ff00::', 8, 'a multicast address'],
  // They contain addresses of IPv4, which some routers reach.
  ['64:ff9b:1::', 48, 'a translated address'],
  ['2001::', 32, 'a translated address'],
  ['2002::', 16, 'a translated address'],
];
const refusedKinds = subnets.map(([network, prefix, kind]) => {
  const list = new BlockList();
  list.addSubnet(network, prefix, familyOf(network));
  return { list, kind };
});

/** Addresses of IPv4 in networks that have only IPv6. */
const translated = new BlockList();
translated.addSubnet('64:ff9b::', 96, 'ipv6');

/** Networks and hosts that are allowed in addition to public addresses. */
export class AllowedNetworks implements AddressPolicy {
  readonly #networks = new BlockList();
  readonly #hosts = new Set<string>();

  /**
   * @param allowed networks (`10.0.0.0/8`), addresses and names of hosts; names are compared as they are in a
   *   URL. Addresses of metadata services are refused in any case.
   * @throws RangeError for an entry of another form
   */
  constructor(allowed: readonly string[]) {
    for (const entry of allowed) this.#add(entry);
  }

  readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const refused = addresses.map(({ address }) => this.#problemOf(address, hostname)).find((one) => one);
      if (refused !== undefined) return callback(new RefusedAddress(hostname, refused), []);
      if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    });
  };

  assertAllowed(url: string): void {
    const host = hostOf(new URL(url).hostname);
    const problem = isIP(host) > 0 ? this.#problemOf(host, host) : undefined;
    if (problem !== undefined) throw new RefusedAddress(host, problem);
  }

  #add(entry: string): void {
    const [, network = '', prefix] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    if (isIP(network) > 0) {
      const longest = isIP(network) === 4 ? 32 : 128;
      const length = prefix === undefined ? longest : Number(prefix);
      if (length > longest)
        throw new RangeError(`${entry} is no network; its prefix must be at most ${longest}`);
      this.#networks.addSubnet(network, length, familyOf(network));
    } else if (/^[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9])?$/i.test(entry) && !/^[\d.]+$/.test(entry)) {
      this.#hosts.add(entry.toLowerCase());
    } else throw new RangeError(`${entry} is no network, address or name of a host`);
  }

  /** Description of an address that is not allowed; undefined if it is. */
  #problemOf(address: string, hostname: string): string | undefined {
    const family = familyOf(address);
    const isTranslated = family === 'ipv6' && translated.check(address, family);
    const ipv4 = isTranslated ? translatedIpv4(address) : undefined;
    if (isMetadataAddress(ipv4 ?? address)) return 'the address of a metadata service';
    if (this.#hosts.has(hostOf(hostname)) || this.#networks.check(address, family)) return undefined;
    if (ipv4 !== undefined) return this.#problemOf(ipv4, hostname);
    return refusedKinds.find(({ list }) => list.check(address, family))?.kind;
  }
}

/** Name of a host without the brackets of an address, and without the dot at the end of a full name. */
function hostOf(hostname: string): string {
  return hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}

function translatedIpv4(address: string): string {
  const [, end = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [low = 0, high = 0] = end
    .split(':')
    .reverse()
    .map((group) => parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
