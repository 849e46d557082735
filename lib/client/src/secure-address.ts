/** The rule for plain text: a token crosses a network only by TLS, unless plain text is permitted by name. */
import { DomainError } from '@rhizome/errors';

const loopback = /^((.+\.)?localhost|\[::1\]|127(\.\d{1,3}){3})$/;

/** Returns true if the host of an address is this machine itself, by the text alone. */
export function isLoopbackAddress(address: string): boolean {
  return URL.canParse(address) && loopback.test(new URL(address).hostname);
}

/**
 * Requires TLS for an address outside this machine.
 * @param permission names the setting that permits plain text
 * @param field names the setting with the address
 * @throws DomainError CONFIG_INVALID
 */
export function assertSecureAddress(
  address: string,
  {
    isPermitted,
    permission,
    field = 'url',
  }: { readonly isPermitted: boolean; readonly permission: string; readonly field?: string },
): void {
  const isSecure = /^(https|wss):/.test(address);
  if (isSecure || isPermitted || isLoopbackAddress(address)) return;
  const text = `${field}: ${address} is not secure; use https:, or permit plain text with ${permission}`;
  throw new DomainError('CONFIG_INVALID', text, {
    field,
    value: address,
    expected: 'an https address',
  });
}
