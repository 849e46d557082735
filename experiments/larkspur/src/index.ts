import type { ExperimentModule } from '@rhizome/experiment';
import { buildLarkspur } from './app.js';

export { buildLarkspur } from './app.js';

/** Larkspur, for whoever starts experiments without knowing them by name. */
export const experiment: ExperimentModule = { name: 'larkspur', build: buildLarkspur };
