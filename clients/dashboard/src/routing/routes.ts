/** Where the page is: every view has an address. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'task'; readonly id: string }
  | { readonly page: 'job'; readonly id: string }
  | { readonly page: 'jobs' }
  | { readonly page: 'errors' }
  | { readonly page: 'audit' }
  | { readonly page: 'identities' }
  | { readonly page: 'workflows' }
  | { readonly page: 'workflow'; readonly id: string }
  | { readonly page: 'auditEntry'; readonly id: string }
  | { readonly page: 'nowhere'; readonly path: string };

/** The view of an address's path. */
export function routeOf(path: string): Route {
  if (path === '/' || path === '') return { page: 'overview' };
  if (/^\/jobs\/?$/.test(path)) return { page: 'jobs' };
  if (/^\/errors\/?$/.test(path)) return { page: 'errors' };
  if (/^\/audit\/?$/.test(path)) return { page: 'audit' };
  if (/^\/identities\/?$/.test(path)) return { page: 'identities' };
  if (/^\/workflows\/?$/.test(path)) return { page: 'workflows' };
  const [, kind, id] = /^\/(tasks|jobs|audit|workflows)\/([^/]+)\/?$/.exec(path) ?? [];
  if (id === undefined) return { page: 'nowhere', path };
  if (kind === 'audit') return { page: 'auditEntry', id: decoded(id) };
  if (kind === 'workflows') return { page: 'workflow', id: decoded(id) };
  return { page: kind === 'tasks' ? 'task' : 'job', id: decoded(id) };
}

/** The path of a view. */
export const taskPath = (id: string): string => `/tasks/${encodeURIComponent(id)}`;
export const auditEntryPath = (id: string): string => `/audit/${encodeURIComponent(id)}`;
export const workflowPath = (id: string): string => `/workflows/${encodeURIComponent(id)}`;
export const jobPath = (id: string): string => `/jobs/${encodeURIComponent(id)}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
