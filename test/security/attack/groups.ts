/** All attacks, by what they aim at. */
import type { AttackCase } from './case.js';
import { copCases } from './cop-cases.js';
import { documentCases } from './document-cases.js';
import { httpCases } from './http-cases.js';
import { mcpCases } from './mcp-cases.js';
import { pageCases } from './page-cases.js';
import { readCases } from './read-cases.js';
import { registryCases } from './registry-cases.js';
import { roleCases } from './role-cases.js';
import { socketCases } from './socket-cases.js';
import { streamCases } from './stream-cases.js';
import { subgraphCases } from './subgraph-cases.js';
import { tokenCases } from './token-cases.js';
import { tokenEndpointCases } from './token-endpoint-cases.js';
import { webCases } from './web-cases.js';
import { workerCases } from './worker-cases.js';

/** Cases by the name of their group. */
export const groups: Readonly<Record<string, readonly AttackCase[]>> = {
  'requests by HTTP': httpCases,
  tokens: tokenCases,
  documents: documentCases,
  sockets: socketCases,
  'event streams': streamCases,
  'endpoints of tokens': tokenEndpointCases,
  'endpoints of logins': webCases,
  'the endpoint for assistants': mcpCases,
  pages: pageCases,
  'the schema registry': registryCases,
  'mutations by role': roleCases,
  'reads and streams by role': readCases,
  'subgraphs asked directly': subgraphCases,
  'a worker of the same queue': workerCases,
  'checks of graphql-cop': copCases,
};
