export {
  canonicalJson,
  digestInTurns,
  digestOf,
  digestOfText,
  isDigestOf,
  keyedDigestInTurns,
} from './digest.js';
