// As tour.e2e.ts, with each service in a process of its own.
import { tourStories } from './tour.stories.js';

// 19,992 quanta in 605 jobs.
tourStories('http', 408);
