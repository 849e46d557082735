/** Addresses of metadata services, which give the credentials of a machine to its programs. */
import { lookup as lookUp, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

const metadata = new BlockList();
metadata.addSubnet('169.254.0.0', 16, 'ipv4');
metadata.addSubnet('fe80::', 10, 'ipv6');
for (const address of ['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe'])
  metadata.addAddress(address, 'ipv6');
// The second one is public.
for (const address of ['100.100.100.200', '168.63.129.16']) metadata.addAddress(address, 'ipv4');

/** Returns true for a link-local address, or another one of a metadata service. */
export function isMetadataAddress(address: string): boolean {
  const family = isIP(address);
  return family > 0 && metadata.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/** Looks a name up, and fails with RefusedAddress if it is that of a metadata service. */
export function lookupOutsideMetadata(hostname: string, options: LookupOptions, callback: Callback): void {
  lookUp(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    if (addresses.some(({ address }) => isMetadataAddress(address)))
      return callback(new RefusedAddress(hostname), []);
    if (options.all) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  });
}

/** An address that requests may not reach. */
export class RefusedAddress extends Error {
  /** @param kind description of the address */
  constructor(host: string, kind = 'the address of a metadata service') {
    super(`${host} is ${kind}`);
  }
}

/** True for an error because of an address that requests may not reach. */
export function isRefusedAddress(error: unknown): boolean {
  return error instanceof RefusedAddress || (error instanceof Error && isRefusedAddress(error.cause));
}

/** Throws for a URL with the address itself, which is not looked up. @throws RefusedAddress */
export function assertNoMetadata(url: string): void {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  if (isMetadataAddress(host)) throw new RefusedAddress(host);
}
