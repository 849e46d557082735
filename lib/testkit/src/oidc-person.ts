/** A person with a browser without scripts: follows redirects and fills in the forms of the test issuer. */

/** Input of the person. */
export interface TypedLogin {
  /** Login name; any is accepted, and becomes the subject. */
  readonly login: string;
  /** Code that a device shows. */
  readonly userCode?: string;
  /** Records what the browser does; cookies that it has are sent. */
  readonly browser?: TestBrowser;
}

/** The browser of a person. */
export interface TestBrowser {
  /** Cookies by name. */
  readonly cookies: Map<string, string>;
  /** Addresses that were opened, in order. */
  readonly addresses: URL[];
  /** Cookies that were sent, as `name=value`. */
  readonly sent: Set<string>;
}

const maxSteps = 30;

/**
 * Opens an address, logs in and consents. Resolves with the text of the last page, once no form is left.
 * @throws Error if it leads nowhere
 */
export async function logInAsPerson(address: string, typed: TypedLogin): Promise<string> {
  const { cookies, addresses, sent }: TestBrowser = typed.browser ?? {
    cookies: new Map(),
    addresses: [],
    sent: new Set(),
  };
  let next: { readonly url: URL; readonly form?: URLSearchParams } = { url: new URL(address) };
  for (let step = 0; step < maxSteps; step++) {
    const { url, form } = next;
    const pairs = [...cookies].map(([name, value]) => `${name}=${value}`);
    pairs.forEach((pair) => sent.add(pair));
    addresses.push(url);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: pairs.join('; ') },
      ...(form && { method: 'POST', body: form }),
    });
    for (const line of response.headers.getSetCookie()) remember(cookies, line);
    const text = await response.text();
    const location = response.headers.get('location');
    const filled = location === null ? fillIn(text, url, typed) : { url: new URL(location, url) };
    if (response.status >= 400)
      throw new Error(`${url.href} answered ${response.status}: ${text.slice(0, 500)}`);
    if (!filled) return text;
    next = filled;
  }
  throw new Error(`No end after ${maxSteps} pages from ${address}`);
}

function remember(cookies: Map<string, string>, line: string): void {
  const [pair = ''] = line.split(';');
  const at = pair.indexOf('=');
  cookies.set(pair.slice(0, at), pair.slice(at + 1));
}

/** The first form of a page, filled in; undefined if there is none. */
function fillIn(
  page: string,
  from: URL,
  { login, userCode = '' }: TypedLogin,
): { readonly url: URL; readonly form: URLSearchParams } | undefined {
  const [, attributes = '', body = ''] = /<form([^>]*)>([\s\S]*?)<\/form>/.exec(page) ?? [];
  if (body === '' && attributes === '') return undefined;
  const form = new URLSearchParams();
  for (const [input] of body.matchAll(/<(?:input|button)[^>]*>/g)) {
    const name = attributeOf(input, 'name');
    if (name !== undefined && name !== 'abort') form.set(name, attributeOf(input, 'value') ?? '');
  }
  if (form.has('login')) form.set('login', login);
  if (form.has('password')) form.set('password', 'any');
  if (form.get('user_code') === '') form.set('user_code', userCode);
  return { url: new URL(attributeOf(attributes, 'action') ?? '', from), form };
}

function attributeOf(tag: string, name: string): string | undefined {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&amp;', '&');
}
