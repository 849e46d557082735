/** Where the page is: every view has an address. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'task'; readonly id: string }
  | { readonly page: 'job'; readonly id: string }
  | { readonly page: 'jobs' }
  | { readonly page: 'errors' }
  | { readonly page: 'queues' }
  | { readonly page: 'queue'; readonly id: string }
  | { readonly page: 'audit' }
  | { readonly page: 'identities' }
  | { readonly page: 'workflows' }
  | { readonly page: 'workflow'; readonly id: string }
  | { readonly page: 'auditEntry'; readonly id: string }
  | { readonly page: 'proposals' }
  | { readonly page: 'proposal'; readonly id: string }
  | { readonly page: 'nowhere'; readonly path: string };

/** Views without an id, by their path. */
const listPages = ['jobs', 'workflows', 'queues', 'errors', 'audit', 'proposals', 'identities'] as const;

/** Views of an object, by the path before its id. */
const objectPages: ReadonlyMap<string, Extract<Route, { readonly id: string }>['page']> = new Map([
  ['tasks', 'task'],
  ['jobs', 'job'],
  ['workflows', 'workflow'],
  ['queues', 'queue'],
  ['audit', 'auditEntry'],
  ['proposals', 'proposal'],
]);

/** The view of an address's path. */
export function routeOf(path: string): Route {
  if (path === '/' || path === '') return { page: 'overview' };
  const [, name = '', id] = /^\/([^/]+)(?:\/([^/]+))?\/?$/.exec(path) ?? [];
  const list = listPages.find((page) => page === name);
  const one = objectPages.get(name);
  if (list && id === undefined) return { page: list };
  if (one && id !== undefined) return { page: one, id: decoded(id) };
  return { page: 'nowhere', path };
}

/** The path of a view. */
export const taskPath = (id: string): string => `/tasks/${encodeURIComponent(id)}`;
export const auditEntryPath = (id: string): string => `/audit/${encodeURIComponent(id)}`;
export const workflowPath = (id: string): string => `/workflows/${encodeURIComponent(id)}`;
/** A proposal is found by its short name, too. */
export const proposalPath = (id: string): string => `/proposals/${encodeURIComponent(id)}`;
/** A queue is found by its name. */
export const queuePath = (name: string): string => `/queues/${encodeURIComponent(name)}`;
export const jobPath = (id: string): string => `/jobs/${encodeURIComponent(id)}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
