export { systemClock, type Clock } from './clock.js';
export { createIds, type Ids } from './ids.js';
