/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/list.h"

struct item {
	int n;
	struct list link;
};

static void expect(struct list *head, const char *digits)
{
	list_for_each (it, head) {
		assert_int_equal(LIST_ENTRY(it, struct item, link)->n, *digits - '0');
		digits++;
	}
	assert_int_equal(*digits, '\0');
}

static void keeps_order_of_append_and_prepend(void **state)
{
	struct list head;
	struct item items[3] = {{.n = 0}, {.n = 1}, {.n = 2}};

	(void)state;
	list_init(&head);
	assert_null(list_first(&head));
	for (int i = 0; i < 3; i++)
		list_init(&items[i].link);
	list_append(&head, &items[1].link);
	list_append(&head, &items[2].link);
	list_prepend(&head, &items[0].link);
	expect(&head, "012");
	assert_ptr_equal(list_first(&head), &items[0].link);
}

static void removes_once_and_twice_and_inside_a_loop(void **state)
{
	struct list head;
	struct item items[4] = {{.n = 0}, {.n = 1}, {.n = 2}, {.n = 3}};

	(void)state;
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		list_init(&items[i].link);
		list_append(&head, &items[i].link);
	}
	list_remove(&items[1].link);
	list_remove(&items[1].link);
	assert_true(list_is_empty(&items[1].link));
	expect(&head, "023");
	list_for_each_safe (it, &head) {
		if (LIST_ENTRY(it, struct item, link)->n != 2)
			list_remove(it);
	}
	expect(&head, "2");
}

static void moves_all_in_their_order(void **state)
{
	struct list from;
	struct list to;
	struct item items[2] = {{.n = 0}, {.n = 1}};

	(void)state;
	list_init(&from);
	list_move_all(&from, &to);
	assert_true(list_is_empty(&to));
	for (int i = 0; i < 2; i++) {
		list_init(&items[i].link);
		list_append(&from, &items[i].link);
	}
	list_move_all(&from, &to);
	assert_true(list_is_empty(&from));
	expect(&to, "01");
	list_remove(&items[0].link);
	list_remove(&items[1].link);
	assert_true(list_is_empty(&to));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_of_append_and_prepend),
		cmocka_unit_test(removes_once_and_twice_and_inside_a_loop),
		cmocka_unit_test(moves_all_in_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
