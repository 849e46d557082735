export { type Clock, systemClock } from './clock.js';
export { createIds, type Ids, timeOfId } from './ids.js';
export { type LongTimer, longestTimerMs, startLongTimer } from './long-timer.js';
export { StallMeter } from './stall-meter.js';
