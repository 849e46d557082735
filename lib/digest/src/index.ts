export { canonicalJson, digestOf, isDigestOf } from './digest.js';
