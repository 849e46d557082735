import type { ExperimentModule } from '@rhizome/experiment';
import { buildAtlas } from './app.js';

export { buildAtlas } from './app.js';

/** ATLAS, for whoever starts experiments without knowing them by name. */
export const experiment: ExperimentModule = { name: 'atlas', build: buildAtlas };
