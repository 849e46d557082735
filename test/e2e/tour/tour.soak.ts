// As tour.e2e.ts, with each service in a process of its own.
import { tourStories } from './tour.stories.js';

tourStories('http');
