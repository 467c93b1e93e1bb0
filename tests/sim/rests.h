#pragma once
/*
 * Profiles for what the iterator believes of a reply: the rest of a chain that its sender has no say in,
 * denials for which nothing speaks, and aliases that it may make itself.
 */
struct sim;

void build_left_rest(struct sim *s);
void finish_left_rest(struct sim *s);
void build_left_unsigned(struct sim *s);
void build_bare(struct sim *s);
void build_omitted_soa(struct sim *s);
void finish_omitted_soa(struct sim *s);
void build_redirected(struct sim *s);
void finish_redirected(struct sim *s);
