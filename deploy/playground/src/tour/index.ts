export { createBoard } from './board.js';
export { runTour } from './tour.js';
