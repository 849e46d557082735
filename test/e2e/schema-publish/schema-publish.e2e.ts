import { publishTest } from './publish-test.js';

publishTest({ versions: 14, measuredAt: [6, 10, 14] });
