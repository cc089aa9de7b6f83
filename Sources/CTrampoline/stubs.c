// SPDX-License-Identifier: Apache-2.0
#include "CTrampoline.h"

extern const unsigned char torpor_load_stub_code[], torpor_load_stub_parameters[], torpor_load_stub_end[];
extern const unsigned char torpor_jump_stub_code[], torpor_jump_stub_parameters[], torpor_jump_stub_end[];

struct torpor_stub torpor_load_stub(void)
{
	return (struct torpor_stub){
		.code = torpor_load_stub_code,
		.size = (size_t)(torpor_load_stub_end - torpor_load_stub_code),
		.parameters = (size_t)(torpor_load_stub_parameters - torpor_load_stub_code),
	};
}

struct torpor_stub torpor_jump_stub(void)
{
	return (struct torpor_stub){
		.code = torpor_jump_stub_code,
		.size = (size_t)(torpor_jump_stub_end - torpor_jump_stub_code),
		.parameters = (size_t)(torpor_jump_stub_parameters - torpor_jump_stub_code),
	};
}
