export { createProgressDisplay as createBoard } from './progress-display.js';
export { runTour } from './tour.js';
