import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { percentDecoded, readAnyQuery, readApiQuery } from "../../src/protocol/api-query.ts";
import { pick as pickFrom, seededSource } from "../support/random-source.ts";

const SIGNATURE = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";

describe("readApiQuery", () => {
  test("keys are sorted and in lower case, values decoded, and the signature left out", () => {
    const query = readApiQuery(
      `info=a%2Cb&AUTH_KEY=k&auth_signature=${SIGNATURE}&filter_by_prefix=x+y`,
    );
    assert.equal(query.signedParams, "auth_key=k&filter_by_prefix=x y&info=a,b");
    assert.equal(query.authSignature, SIGNATURE);
    assert.equal(query.authKey, "k");
    assert.equal(query.info, "a,b");
    assert.equal(query.filterByPrefix, "x y");
  });

  test("the sorted form keeps its bytes: ; , @ = may stand raw in values", () => {
    const query = readApiQuery(
      `auth_key=k&filter_by_prefix=a;b,c@d=e&info=&auth_signature=${SIGNATURE}`,
    );
    assert.equal(query.signedParams, "auth_key=k&filter_by_prefix=a;b,c@d=e&info=");
    assert.equal(query.filterByPrefix, "a;b,c@d=e");
    assert.equal(query.info, "");
  });

  test("array parameters of PHP are joined with commas", () => {
    const query = readApiQuery("k%5B0%5D=a&k%5B1%5D=b&auth_key=x&info[]=u&info[]=v");
    assert.equal(query.signedParams, "auth_key=x&info=u,v&k=a,b");
    assert.equal(query.info, "u,v");
  });

  test("of a key that comes twice the last value counts, and a list begins anew", () => {
    assert.equal(readApiQuery("k=a&k=b").signedParams, "k=b");
    assert.equal(readApiQuery("k=a&k[]=b&k[]=c").signedParams, "k=b,c");
    assert.equal(readApiQuery("k[]=a&k=b").signedParams, "k=b");
  });

  test("a parameter without a value is empty, and a broken encoding stands for itself", () => {
    assert.equal(readApiQuery("flag&x=%zz").signedParams, "flag=&x=%zz");
    assert.equal(percentDecoded("100%"), "100%");
    assert.equal(readApiQuery("").signedParams, "");
  });

  test("a key called __proto__ is a key like any other", () => {
    assert.equal(readApiQuery("__proto__=x&auth_key=k").signedParams, "__proto__=x&auth_key=k");
  });

  test("the fast way and the general way agree on every query", (t) => {
    const { seed, below } = seededSource(t);
    const pick = <T>(from: readonly T[]): T => pickFrom(below, from);
    const signedKeys = ["auth_key", "auth_timestamp", "auth_version", "body_md5"];
    const keys = [
      "auth_key",
      "auth_timestamp",
      "auth_version",
      "body_md5",
      "info",
      "filter_by_prefix",
      "with_user_info",
      "auth_signature",
      "Auth_Key",
      "k[0]",
      "k[]",
      "k",
      "",
      "é",
      "a%62",
      "z",
    ];
    const values = ["", "1", "a=b", "a%26b", "a+b", "%", "ü", "a,b;c@d", "x[0]"];
    let signedForms = 0;
    for (let round = 0; round < 20_000; round++) {
      const parts: string[] = [];
      if (below(2) === 0) {
        // A publish as libraries send it, or nearly so.
        for (const key of signedKeys) if (below(8) > 0) parts.push(`${key}=${pick(values)}`);
      } else {
        for (let n = below(6); n > 0; n--) {
          parts.push(below(12) === 0 ? pick(keys) : `${pick(keys)}=${pick(values)}`);
        }
        if (below(2) === 0) parts.sort();
      }
      if (below(3) > 0) parts.push(`auth_signature=${pick(values)}`);
      // What is not behind everything else is no less signed.
      if (below(6) === 0) parts.push(`${pick(keys)}=${pick(values)}`);
      const query = parts.join(pick(["&", "&", "&", "&&"]));
      if (/^auth_key=[^%+]*&auth_version=[^%+]+&auth_signature=[^&%+]*$/.test(query)) {
        signedForms += 1;
      }
      assert.deepEqual(readApiQuery(query), readAnyQuery(query), `seed ${seed}: ${query}`);
    }
    assert.ok(signedForms > 500, "the fast way was taken often");
  });
});
