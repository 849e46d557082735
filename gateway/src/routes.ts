/** All routes of a gateway with all its parts, for tests that call each of them. */
import { rightsPath } from '@rhizome/authz';
import { ownRoutes } from './handlers/index.js';
import { mcpRoutes } from './mcp/index.js';
import { tokenRoutes, webRoutes } from './identity/index.js';

/** Method and path of each route. Other paths are those of files of the pages. */
export const routes: readonly string[] = [
  'GET /graphql',
  'POST /graphql',
  'GET /',
  'GET /graphiql',
  `POST ${rightsPath}`,
  ...ownRoutes,
  ...mcpRoutes,
  ...tokenRoutes,
  ...webRoutes,
];
