/** The token of this tab. It is kept for the session of the tab alone, and never sent in an address. */
const key = 'rhizome:token';

/** Parts of the browser that are used. */
export interface TokenPlace {
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly location: Pick<Location, 'hash' | 'hostname' | 'pathname' | 'search'>;
  readonly history: Pick<History, 'replaceState'>;
}

/**
 * Removes a value behind the address's `#`; called before anything else, so that neither the history nor a
 * copy of the address keeps it. @returns the value, or null if there is none
 */
export function removeLinked(
  name: 'token' | 'link',
  { location, history }: Pick<TokenPlace, 'location' | 'history'>,
): string | null {
  const linked = new URLSearchParams(location.hash.slice(1)).get(name);
  if (linked !== null) history.replaceState(null, '', location.pathname + location.search);
  return linked;
}

/**
 * The token that this tab has, or that of the link; null if there is none. A link never replaces a token, and
 * gives one on this machine only (as the playground prints it): anybody could send a link that logs the
 * reader in as somebody else.
 */
export function tokenOfTab(
  linked: string | null,
  { storage, location }: Pick<TokenPlace, 'storage'> & { readonly location: Pick<Location, 'hostname'> },
): string | null {
  const known = storage.getItem(key);
  if (known !== null || !linked || !isLoopback(location.hostname)) return known;
  storage.setItem(key, linked);
  return linked;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/**
 * Keeps a token that was pasted; people paste it with its scheme, too. @returns the token alone, or null when
 * there is none in it
 */
export function keepToken(text: string, storage: TokenPlace['storage']): string | null {
  const token = text.trim().replace(/^(authorization:\s*)?bearer\s+/i, '');
  if (token === '' || /\s/.test(token)) return null;
  storage.setItem(key, token);
  return token;
}

/** Forgets the token. */
export function dropToken(storage: TokenPlace['storage']): void {
  storage.removeItem(key);
}
