/** The token of this tab. It is kept for the session of the tab alone, and never sent in an address. */
const key = 'rhizome:token';

/** Parts of the browser that are used. */
export interface TokenPlace {
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly location: Pick<Location, 'hash' | 'hostname' | 'pathname' | 'search'>;
  readonly history: Pick<History, 'replaceState'>;
}

/**
 * The token that this tab has, or the one behind the address's `#`; null if there is none. A link never
 * replaces a token, and gives one on this machine only (as the playground prints it): anybody could send a
 * link that logs the reader in as somebody else. The address is cleared at once: neither the history nor a
 * copy of it keeps the token.
 */
export function takeToken({ storage, location, history }: TokenPlace): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) history.replaceState(null, '', location.pathname + location.search);
  const known = storage.getItem(key);
  if (known !== null || !given || !isLoopback(location.hostname)) return known;
  storage.setItem(key, given);
  return given;
}

/** Clears a token from the address where none is taken. */
export function dropLinkedToken({ location, history }: Pick<TokenPlace, 'location' | 'history'>): void {
  if (!new URLSearchParams(location.hash.slice(1)).has('token')) return;
  history.replaceState(null, '', location.pathname + location.search);
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
