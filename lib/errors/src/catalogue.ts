import { fleetCodes } from './codes/fleet.js';
import { identityCodes } from './codes/identity.js';
import { requestCodes } from './codes/requests.js';
import { serviceCodes } from './codes/services.js';
import { workCodes } from './codes/work.js';

export type { CatalogueEntry, Retry } from './codes/entry.js';

/** The catalogue by scope, in the order of the reference page. */
export const catalogueByScope = {
  Requests: requestCodes,
  Identity: identityCodes,
  'Services, streams and the store': serviceCodes,
  'Jobs, tasks, experiments and shares': workCodes,
  'Queues, workers and brokerage': fleetCodes,
} as const;

/** Every stable error code of the project. Experiments add their own with `defineErrors`. */
export const catalogue = {
  ...requestCodes,
  ...identityCodes,
  ...serviceCodes,
  ...workCodes,
  ...fleetCodes,
} as const;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof catalogue;
