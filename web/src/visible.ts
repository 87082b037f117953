// Text of devices as a person should see it: what has no shape, or turns the order of what follows, is spelled out.
// Unicode 15 section 23.2 (layout controls), UTR 36 section 2.1 (bidirectional text spoofing).
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function visible(text: string): string {
  return text.replace(unseen, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
