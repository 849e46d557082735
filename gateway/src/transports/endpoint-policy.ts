/** Addresses at which the gateway may call subgraphs. */
import { lookup as lookUp, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { isLoopbackHost } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';

/** Addresses that belong to no public service: this machine, private networks, link-local and metadata. */
const notPublic = blockList([
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
  ['::', 127],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
]);

/** A result of the DNS lookup that sockets use. */
export type SocketLookup = (
  hostname: string,
  options: LookupOptions,
  callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
) => void;

/**
 * Decides by the resolved address, in the moment in which a socket is opened: a name that resolves elsewhere
 * later is refused then.
 */
export class EndpointPolicy {
  readonly #hosts = new Set<string>();
  readonly #suffixes: string[] = [];
  readonly #networks: BlockList;
  readonly #isClosed: boolean;
  readonly #insecureTransport: boolean;

  /**
   * `allowed` lists host names, `*.domain`, addresses and networks (CIDR). Without any, public addresses are
   * allowed; with some, nothing else is. `isLocal` allows this machine in addition, `insecureTransport` plain
   * HTTP to other machines.
   */
  constructor(
    allowed: readonly string[],
    { isLocal = false, insecureTransport = false }: { isLocal?: boolean; insecureTransport?: boolean } = {},
  ) {
    this.#insecureTransport = insecureTransport;
    const networks: [string, number][] = isLocal
      ? [
          ['127.0.0.0', 8],
          ['::1', 128],
        ]
      : [];
    for (const entry of allowed) {
      const [address = '', bits] = entry.split('/');
      const family = isIP(address);
      if (family > 0) networks.push([address, bits === undefined ? (family === 4 ? 32 : 128) : Number(bits)]);
      else if (entry.startsWith('*.')) this.#suffixes.push(entry.slice(1).toLowerCase());
      else this.#hosts.add(entry.toLowerCase());
    }
    this.#networks = blockList(networks);
    this.#isClosed = allowed.length > 0;
  }

  /** Returns false for an address that is refused whatever its name resolves to; never asks a name server. */
  mayRegister(endpoint: string): boolean {
    const host = hostOf(endpoint);
    if (this.#isPlain(endpoint)) return false;
    if (isIP(host) > 0) return this.#allows(host, host);
    return !this.#isClosed || this.#isListed(host) || this.#networks.rules.length > 0;
  }

  /** Resolves like the system, without the refused addresses. */
  readonly lookup: SocketLookup = (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const allowed = addresses.filter(({ address }) => this.#allows(hostname, address));
      const [first] = allowed;
      if (!first) return callback(refused(), []);
      if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };

  /** Throws for an address without a name, which sockets do not look up. @throws DomainError FORBIDDEN */
  assertAddress(endpoint: string): void {
    const host = hostOf(endpoint);
    if (this.#isPlain(endpoint) || (isIP(host) > 0 && !this.#allows(host, host))) throw refused();
  }

  #isPlain(endpoint: string): boolean {
    if (this.#insecureTransport || !/^(http|ws):/i.test(endpoint)) return false;
    return !isLoopbackHost(hostOf(endpoint));
  }

  #allows(host: string, address: string): boolean {
    if (this.#isListed(host.toLowerCase()) || has(this.#networks, address)) return true;
    return !this.#isClosed && !has(notPublic, address);
  }

  #isListed(host: string): boolean {
    return this.#hosts.has(host) || this.#suffixes.some((suffix) => host.endsWith(suffix));
  }
}

function hostOf(endpoint: string): string {
  const { hostname } = new URL(endpoint);
  return hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

function blockList(networks: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of networks)
    list.addSubnet(address, bits, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return list;
}

/** An IPv4 address written as IPv6 is checked as IPv4. */
function has(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

function refused(): DomainError {
  return new DomainError('FORBIDDEN', 'The address of the service is not allowed for subgraphs');
}
