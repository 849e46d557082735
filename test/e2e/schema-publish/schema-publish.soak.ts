// As schema-publish.e2e.ts, with more versions: slow growth shows.
import { publishTest } from './publish-test.js';

publishTest({ versions: 50, measuredAt: [10, 30, 40, 50] });
