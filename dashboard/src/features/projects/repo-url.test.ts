import { describe, expect, it } from "vitest";

import { addressOf, nameFromRepoUrl, repoUrlProblem, shortRepo } from "./repo-url";

describe("nameFromRepoUrl", () => {
  it.each([
    ["https://github.com/acme/hello-node.git", "hello-node"],
    ["https://gitlab.com/group/sub/site/", "site"],
    ["https://example.com/~me/app.git?x=1#y", "app"],
    ["git@github.com:acme/api.git", "api"],
    ["https://github.com", ""],
    ["", ""],
  ])("%s → %s", (url, name) => expect(nameFromRepoUrl(url)).toBe(name));
});

describe("repoUrlProblem", () => {
  it("accepts what the server may fetch", () => {
    expect(repoUrlProblem(" https://github.com/acme/hello ")).toBeUndefined();
    expect(repoUrlProblem("http://git.lan:3000/acme/hello")).toBeUndefined();
  });

  it("says what to do instead", () => {
    expect(repoUrlProblem("")).toMatch(/Paste/);
    expect(repoUrlProblem("git@github.com:acme/api.git")).toContain("https://github.com/acme/api.git");
    expect(repoUrlProblem("ftp://github.com/a/b")).toMatch(/https/);
    expect(repoUrlProblem("github.com/a/b")).toMatch(/https/);
    expect(repoUrlProblem("https://me:pw@github.com/a/b")).toMatch(/password/);
    expect(repoUrlProblem("https://github.com/")).toMatch(/no repository/);
  });
});

it("shortens", () => expect(shortRepo("https://github.com/acme/api.git")).toBe("github.com/acme/api"));

describe("addressOf", () => {
  it.each([
    ["http://app.localhost:8080", "app.localhost:8080"],
    ["https://app.example.com", "app.example.com"],
    ["", "app.localhost"],
  ])("%s → %s", (url, address) => expect(addressOf({ url, domain: "app.localhost" })).toBe(address));
});
