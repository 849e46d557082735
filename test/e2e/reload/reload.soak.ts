// Many more reloads than in `npm test`: slow growth shows.
import { reloadTest } from './reload-test.js';

reloadTest(400, 60 * 60_000);
